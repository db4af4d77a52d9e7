# A small service on two machines at the edge: accounts, files, a firewall, a release with a way back.
play "accounts and base" {
  hosts  = "edge"
  become = true
  tags   = ["base"]
  vars = {
    admins = {
      ada   = { uid = 2101, shell = "/bin/bash" }
      brian = { uid = 2102, shell = "/bin/sh" }
    }
  }

  group "netadmin" {
    name = "the group of the admins"
    gid  = 2100
  }

  user "${each.key}" {
    for_each    = admins
    uid         = each.value.uid
    group       = "netadmin"
    shell       = each.value.shell
    create_home = true
  }

  sudoers "netadmin" {
    content = "%netadmin ALL=(ALL) NOPASSWD: ALL\n"
  }

  line "/etc/hosts" {
    name  = "what the machine is called"
    match = "\\sservice\\.example$"
    line  = "${service_ip} service.example"
  }

  file "${each.key}" {
    for_each = ["/srv/edge", "/srv/edge/releases", "/srv/edge/log"]
    type     = "directory"
    owner    = "ada"
    group    = "netadmin"
    mode     = "0750"
  }
}

play "the firewall" {
  hosts  = "edge"
  become = true
  tags   = ["firewall"]

  iptables_chain "INPUT" {
    rule {
      ctstate = ["ESTABLISHED", "RELATED"]
      jump    = "ACCEPT"
    }
    dynamic "rule" {
      for_each = ["22", "80", "443"]
      content {
        protocol         = "tcp"
        destination_port = rule.value
        jump             = "ACCEPT"
      }
    }
    rule {
      in_interface = "eth1"
      jump         = "DROP"
    }
  }

  sysctl "net.ipv4.ip_forward" {
    name  = "pass packets on"
    value = "1"
  }
}

play "the service" {
  hosts               = "edge"
  become              = true
  serial              = 1
  max_fail_percentage = 0
  tags                = ["service"]
  vars = {
    release = "1.4.2"
    workers = host.name == "edge1" ? 4 : 2
  }

  set_fact "owner_of_release" { value = groups.edge[0] }
  set_fact "release_dir" { value = "/srv/edge/releases/${release}" }

  assert "a version that makes sense" {
    that     = [can(regex("^[0-9]+\\.[0-9]+\\.[0-9]+$", release)), workers > 0]
    fail_msg = "${release} is no version"
  }

  block "install, or go back" {
    file "${release_dir}" {
      type = "directory"
      mode = "0755"
    }

    template "${release_dir}/edge.conf" {
      src    = "edge.conf.tpl"
      owner  = "ada"
      group  = "netadmin"
      mode   = "0640"
      notify = "reload"
    }

    command "a checksum of it" {
      shell   = "sha256sum edge.conf > edge.conf.sha256"
      chdir   = release_dir
      creates = "${release_dir}/edge.conf.sha256"
    }

    command "it is right" {
      argv         = ["sha256sum", "-c", "edge.conf.sha256"]
      chdir        = release_dir
      until        = self.rc == 0
      retries      = 3
      delay        = "1s"
      changed_when = false
    }

    file "/srv/edge/current" {
      type   = "link"
      target = release_dir
      notify = "reload"
    }

    rescue {
      file "/srv/edge/current" {
        name   = "back to the last one"
        type   = "link"
        target = "/srv/edge/releases/last"
        force  = true
      }
    }

    always {
      copy "/srv/edge/log/deployed" {
        content = "${release} by ${owner_of_release}\n"
        mode    = "0644"
      }
    }
  }

  flush_handlers {}

  stat "/srv/edge/legacy.conf" { register = "legacy" }

  file "/srv/edge/legacy.conf" {
    ensure = "absent"
    when   = result.legacy.exists
  }

  command "what may be missing" {
    argv         = ["grep", "-c", "old", "/srv/edge/current/edge.conf"]
    failed_when  = self.rc > 1
    changed_when = false
  }

  copy "/etc/cron.d/edge" {
    content       = "17 3 * * * ada find /srv/edge/log -mtime +30 -delete\n"
    mode          = "0644"
    ignore_errors = true
  }

  handler "note the reload" {
    listen = ["reload"]
    line "/srv/edge/log/events" {
      line   = "reloaded ${release}"
      create = true
      mode   = "0644"
    }
  }

  handler "tell" {
    listen = ["reload"]
    debug "edge ${release} is configured" {}
  }
}

play "once for all" {
  hosts  = "edge"
  become = true
  tags   = ["always"]

  copy "/srv/edge/machines" {
    content  = "${join("\n", groups.edge)}\n"
    mode     = "0644"
    run_once = true
    on       = groups.edge[1]
  }
}
