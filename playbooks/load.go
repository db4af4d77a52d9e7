// Package playbooks is the language: it loads HCL files, checks them against the schemas of the modules, and evaluates the
// tasks of a play for each host into calls, as far as they are known. Source ranges are kept for messages. It reads files and
// does no other I/O: it knows nothing of SSH, of agents or of how a call is carried out.
package playbooks

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"labctl/inventory"
	"labctl/inventory/secrets"
	"labctl/inventory/source"
	"labctl/modules"
	"labctl/playbooks/syntax"
)

// Options say what, beside the site itself, is loaded.
type Options struct {
	Registry   modules.Registry // nil: modules.Default
	Inventory  []string         // -i: HCL, what package source recognises, or "host1,host2," each; they replace inventory.hcl
	Run        source.Run       // runs the commands that sources need; nil: such sources are a fault
	SSHHosts   source.SSHHosts  // reads ssh_config for sources; nil: the same
	Keys       *secrets.Keys    // open what is encrypted; nil: nothing is opened
	VarFiles   []string         // --var-file: files of variables
	Vars       []string         // -e: "k=v k2=v2", a JSON object, or @FILE (.json, .yaml, .hcl), each
	Environ    []string         // for LABCTL_VAR_name and env(); as os.Environ
	Become     bool             // plays that do not say whether to become another user do so
	BecomeUser string           // the user that plays become which do not say whom; "": root
	Force      bool             // plays that do not say whether to run handlers on hosts that have failed do so
	Lenient    bool             // as Ansible: names in patterns that nothing has are passed over, and a play may be for no host
	Login      inventory.SSH    // how to log in where neither the site nor a source of hosts says
	AdHoc      *Source          // a play in memory, in place of the plays and handlers of the site
	HostsOnly  bool             // the plays are not played: variables that say nothing of the hosts need no value
}

// Site is a loaded configuration: the inventory and the plays. After Load it is not changed, and all its methods may be
// called from any goroutine.
type Site struct {
	Inventory *inventory.Inventory
	Dir       string // of the site file: relative file names start here

	keys       *secrets.Keys
	registry   modules.Registry
	environ    map[string]string
	files      map[string]*syntax.File
	found      map[string]*hcl.File // what sources of hosts were read from
	scope      *hcl.EvalContext     // functions, var, local, groups
	extra      map[string]cty.Value // -e and --var-file: names that no variable block declares
	said       map[string][]given   // of each variable, what was said of it from outside, what counts first
	variables  []*variable
	become     bool                            // Options.Become
	becomeUser string                          // Options.BecomeUser
	forced     bool                            // Options.Force
	lenient    bool                            // Options.Lenient
	bare       map[string]bool                 // variables of any host or play
	facts      map[string]bool                 // variables that set_fact sets
	set        map[string]map[string]cty.Value // what plays before have set, by host; nil: nothing is known of that
	given      map[string]bool                 // variables that add_host gives to hosts
	adds       bool                            // tasks add to the inventory
	input      inventory.Input                 // what it was made of
	lacking    bool                            // a source could not be read, so hosts are missing
	unread     bool                            // an encrypted file of variables could not be opened, and all else that is wrong may follow from that
	static     names                           // what expressions may refer to
	plays      []*Play
	handlers   []*Handler
	roles      map[string]*hclsyntax.Block
	imported   map[*hcl.Block]*importing // plays of other files
	fixed      *staticScope              // of arguments that are the same for all hosts, in a role; nil: s.static
	contents   *contents
	locals     *locals
	diags      *collector
}

// Source is one HCL file in memory.
type Source struct {
	Name string
	Text []byte
}

// Load reads the site at path, a file or a directory of *.hcl files, site.hcl first. Beside a file, inventory.hcl is read
// too, unless Options.Inventory says where the hosts are. An empty path loads an inventory alone.
//
// The site is never nil, and holds what could be read, so that messages can show the source.
func Load(path string, o Options) (*Site, hcl.Diagnostics) {
	c := &collector{}
	var sources []Source
	dir := "."
	if path != "" {
		var names []string
		names, dir = c.siteFiles(path, len(o.Inventory) > 0)
		sources = c.read(names)
	} else if len(o.Inventory) == 0 {
		sources = c.read(existing("inventory.hcl"))
	}
	var given givenHosts
	for _, i := range o.Inventory {
		if isList(i) {
			given.list = append(given.list, splitList(i)...)
			continue
		}
		if src := source.Recognise(i); src != nil {
			given.sources = append(given.sources, src)
			continue
		}
		names, _ := c.siteFiles(i, true)
		sources = append(sources, c.read(names)...)
	}
	return load(dir, sources, given, o, c)
}

// givenHosts are those that -i gives and that are not in HCL.
type givenHosts struct {
	list    []string
	sources []source.Source
}

// LoadSources loads a site from memory. Relative file names start at dir.
func LoadSources(dir string, sources []Source, o Options) (*Site, hcl.Diagnostics) {
	return load(dir, sources, givenHosts{}, o, &collector{})
}

// isList tells "host1,host2," or "host" from a file name, as Ansible does: by its comma.
func isList(s string) bool { return strings.Contains(s, ",") }

func splitList(s string) []string {
	var out []string
	for _, h := range strings.Split(s, ",") {
		if h = strings.TrimSpace(h); h != "" {
			out = append(out, h)
		}
	}
	return out
}

// siteFiles lists the files that make up the site at path, and its directory.
func (c *collector) siteFiles(path string, alone bool) (names []string, dir string) {
	info, err := os.Stat(path)
	if err != nil {
		c.fileFault(path, err)
		return nil, filepath.Dir(path)
	}
	if !info.IsDir() {
		dir = filepath.Dir(path)
		if beside := filepath.Join(dir, "inventory.hcl"); !alone && filepath.Clean(path) != beside {
			names = existing(beside)
		}
		return append(names, path), dir
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		c.fileFault(path, err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".hcl") && !strings.HasPrefix(e.Name(), ".") && !e.IsDir() {
			names = append(names, filepath.Join(path, e.Name()))
		}
	}
	sort.SliceStable(names, func(i, j int) bool {
		return filepath.Base(names[i]) == "site.hcl" && filepath.Base(names[j]) != "site.hcl"
	})
	if len(names) == 0 && err == nil {
		c.add(fault(nowhere, "Nothing to load", "The directory %s holds no *.hcl file. labctl init begins a project.", path))
	}
	return names, path
}

func existing(name string) []string {
	if _, err := os.Lstat(name); err != nil {
		return nil
	}
	return []string{name}
}

func (c *collector) read(names []string) []Source {
	var out []Source
	for _, n := range names {
		text, err := readFile(n)
		if err == nil && secrets.KindOf(n, text) != secrets.None {
			err = fmt.Errorf("it is encrypted by %s; a site is read as it is: encrypt files of variables (--var-file), what file() reads, or single values (decrypt)", secrets.KindOf(n, text))
		}
		if err != nil {
			c.fileFault(n, err)
			continue
		}
		out = append(out, Source{n, text})
	}
	return out
}

// readFile refuses what is not a file: reading a pipe or a device could block, or never end.
func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("not a regular file")}
	}
	if info.Size() > syntax.MaxSize {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("%d bytes are too many, at most %d are read", info.Size(), syntax.MaxSize)}
	}
	return os.ReadFile(name)
}

func (c *collector) fileFault(name string, err error) {
	detail := fmt.Sprintf("Cannot read %s: %s.", name, cause(err))
	if errors.Is(err, fs.ErrNotExist) {
		detail = fmt.Sprintf("There is no file %s.%s", name, neighbours(name))
	}
	c.add(fault(nowhere, "Cannot read file", "%s", detail))
}

func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// neighbours suggests a file of the same directory.
func neighbours(name string) string {
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil {
		return ""
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if s := inventory.Suggest(filepath.Base(name), names); s != "" {
		return fmt.Sprintf(" Did you mean %q?", filepath.Join(filepath.Dir(name), s))
	}
	return ""
}

func load(dir string, sources []Source, given givenHosts, o Options, c *collector) (*Site, hcl.Diagnostics) {
	s := &Site{
		Dir: dir, registry: o.Registry, environ: environment(o.Environ), files: map[string]*syntax.File{},
		keys: o.Keys, contents: newContents(o.Keys), diags: c, become: o.Become, becomeUser: o.BecomeUser, forced: o.Force, lenient: o.Lenient,
	}
	if s.registry == nil {
		s.registry = modules.Default
	}
	if o.AdHoc != nil {
		sources = append(sources, *o.AdHoc)
	}
	var parsed []*syntax.File
	broken := false
	for _, src := range sources {
		f, diags := syntax.Parse(src.Name, src.Text)
		s.files[src.Name] = f
		c.add(diags...)
		broken = broken || diags.HasErrors()
		parsed = append(parsed, f)
	}
	if broken { // what else is wrong may follow from that
		s.Inventory, _ = inventory.Decode(inventory.Input{})
		return s, c.diags()
	}
	blocks, broken := s.followed(parsed)
	if broken {
		s.Inventory, _ = inventory.Decode(inventory.Input{})
		return s, c.diags()
	}
	if o.AdHoc != nil {
		blocks = slices.DeleteFunc(blocks, func(b *hcl.Block) bool {
			return (b.Type == "play" || b.Type == "handler") && b.DefRange.Filename != o.AdHoc.Name
		})
	}
	byType := blocks.ByType()
	if s.declare(byType, o); s.unread {
		s.Inventory, _ = inventory.Decode(inventory.Input{})
		return s, c.diags()
	}
	if s.loadInventory(blocks, given, o.Login, source.Env{Run: o.Run, Keys: o.Keys, SSHHosts: o.SSHHosts, Playbook: s.Dir}); s.unread {
		return s, c.diags()
	}
	s.loadPlays(byType)
	s.checkExtra()
	return s, c.diags()
}

// plainLabels refuses templates in the labels of declarations.
func (s *Site) plainLabels(b *hcl.Block) bool {
	for i, l := range b.Labels {
		if s.file(b.DefRange).IsTemplate(l) {
			s.diags.add(fault(b.LabelRanges[i], "Template in a name", "The name of a %s is fixed; templates are for the labels of tasks.", b.Type))
			return false
		}
	}
	return true
}

func (s *Site) file(r hcl.Range) *syntax.File { return s.files[r.Filename] }

// Files returns the sources by name, for a writer of diagnostics.
func (s *Site) Files() map[string]*hcl.File {
	out := map[string]*hcl.File{}
	for n, f := range s.files {
		out[n] = f.File
	}
	for n, f := range s.found {
		out[n] = f
	}
	s.contents.templates(out)
	return out
}

// Plays returns the plays in the order they run.
func (s *Site) Plays() []*Play { return s.plays }

func environment(environ []string) map[string]string {
	if environ == nil {
		environ = os.Environ()
	}
	out := map[string]string{}
	for _, e := range environ {
		k, v, _ := strings.Cut(e, "=")
		out[k] = v
	}
	return out
}
