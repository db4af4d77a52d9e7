# A provider of Vagrant whose machines are those of labctl's sandbox: namespaces of this computer, each with an sshd of its own.
# The Vagrantfile in VAGRANT_HOME loads it, and VAGRANT_DEFAULT_PROVIDER=labctl chooses it, so that a Vagrantfile needs no word of it.
require "open3"

module LabctlSandbox
  class Plugin < Vagrant.plugin("2")
    name "labctl sandbox"

    provider(:labctl, box_optional: true, parallel: false, defaultable: false) { Provider }
  end

  # One sandbox has all machines of a Vagrantfile. The site beside it says how they are wired.
  class Provider < Vagrant.plugin("2", :provider)
    include Vagrant::Action::Builtin

    STEPS = {
      up: [ConfigValidate, Provision, -> (env) { env[:machine].provider.up }],
      provision: [ConfigValidate, Provision],
      ssh_run: [SSHRun],
      destroy: [-> (env) { env[:machine].provider.down }],
    }

    def initialize(machine)
      @machine = machine
    end

    def action(name)
      STEPS[name] && Vagrant::Action::Builder.new.tap { |b| STEPS[name].each { |step| b.use step } }
    end

    def up
      return if @machine.id
      ssh_info || labctl("sandbox", "up", site)
      @machine.id = @machine.name.to_s
      @machine.communicate.wait_for_ready(60) or raise "#{@machine.name} does not let anybody in"
    end

    def down
      ssh_info && labctl("sandbox", "down", site)
      @machine.id = nil
    end

    def state
      id = @machine.id && ssh_info ? :running : :not_created
      Vagrant::MachineState.new(id, id.to_s, "The machine is #{id}.")
    end

    def ssh_info
      @ssh_info ||= begin
        config = labctl("sandbox", "ssh-config", site, fail: false)[/^Host #{@machine.name}\n(  .*\n)+/]
        config && {
          host: config[/HostName (.*)/, 1], port: config[/Port (.*)/, 1].to_i, username: config[/User (.*)/, 1],
          private_key_path: config[/IdentityFile (.*)/, 1]
        }
      end
    end

    private

    def site
      @machine.env.root_path.to_s
    end

    def labctl(*args, fail: true)
      out, status = Open3.capture2e("labctl", *args)
      raise "labctl #{args.join(" ")}: #{out}" if fail && !status.success?
      out
    end
  end
end
