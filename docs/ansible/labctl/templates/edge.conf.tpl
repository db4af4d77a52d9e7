# ${host.name}
listen ${service_ip}:80;
workers ${workers};
%{ for name in groups.edge ~}
peer ${name};
%{ endfor ~}
