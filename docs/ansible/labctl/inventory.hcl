ssh { user = "admin" }

group "edge" { hosts = ["edge1", "edge2"] }
host "edge1" {
  address = "10.9.0.1"
  vars    = { service_ip = "192.0.2.1" }
}
host "edge2" {
  address = "10.9.0.2"
  vars    = { service_ip = "192.0.2.2" }
}
