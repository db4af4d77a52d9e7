# As in most boxes. Only the sandbox reads this: the playbook is site.hcl alone, to which Vagrant says who the user is.
ssh { user = "vagrant" }
