package playbooks

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/go-cty-funcs/cidr"
	"github.com/hashicorp/go-cty-funcs/collection"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	ctyyaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functions returns the functions of the language, under the names that Terraform gives them.
func (s *Site) functions() map[string]function.Function {
	f := pureFunctions()
	f["env"] = textFunction([]string{"name"}, func(a []string) (string, error) { return s.environ[a[0]], nil })
	f["file"] = s.textOf(func(name string, b []byte) (string, error) {
		if !utf8.Valid(b) {
			return "", fmt.Errorf("%s is not UTF-8 text; use filebase64, or the src argument of a copy task", name)
		}
		return string(b), nil
	})
	f["filebase64"] = s.textOf(func(_ string, b []byte) (string, error) { return base64.StdEncoding.EncodeToString(b), nil })
	f["filesha256"] = s.sumFunction()
	f["decrypt"] = s.decryptFunction()
	f["fileexists"] = function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(a []cty.Value, _ cty.Type) (cty.Value, error) {
			info, err := os.Stat(s.path(a[0].AsString()))
			return cty.BoolVal(err == nil && info.Mode().IsRegular()), nil
		},
	})
	f["fileset"] = function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "pattern", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Set(cty.String)),
		Impl: func(a []cty.Value, _ cty.Type) (cty.Value, error) {
			return fileSet(s.path(a[0].AsString()), a[1].AsString())
		},
	})
	f["templatefile"] = s.templateFunction()
	return f
}

// path makes a file name of the configuration one that can be opened.
func (s *Site) path(name string) string {
	if strings.HasPrefix(name, "~/") {
		return filepath.Join(s.environ["HOME"], name[2:])
	}
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.Dir, name)
}

// fileSet lists the regular files under dir whose path from there matches the pattern; ** stands for any directories.
func fileSet(dir, pattern string) (cty.Value, error) {
	var out []cty.Value
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return cause(err)
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil || d.IsDir() {
			return err
		}
		ok, err := matchPath(strings.Split(pattern, "/"), strings.Split(filepath.ToSlash(rel), "/"))
		if ok && regular(p) {
			out = append(out, cty.StringVal(filepath.ToSlash(rel)))
		}
		return err
	})
	if err != nil {
		return cty.NilVal, fmt.Errorf("list %s: %w", dir, err)
	}
	if len(out) == 0 {
		return cty.SetValEmpty(cty.String), nil
	}
	return cty.SetVal(out), nil
}

func regular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func matchPath(pattern, path []string) (bool, error) {
	switch {
	case len(pattern) == 0:
		return len(path) == 0, nil
	case pattern[0] == "**":
		if ok, err := matchPath(pattern[1:], path); ok || err != nil || len(path) == 0 {
			return ok, err
		}
		return matchPath(pattern, path[1:])
	case len(path) == 0:
		return false, nil
	}
	ok, err := filepath.Match(pattern[0], path[0])
	if !ok || err != nil {
		return false, err
	}
	return matchPath(pattern[1:], path[1:])
}

// templateFunction renders a template file with the variables of its second argument, and nothing else, in scope.
func (s *Site) templateFunction() function.Function {
	render := func(a []cty.Value) (cty.Value, error) {
		if !a[0].IsKnown() || !a[1].IsKnown() {
			return cty.UnknownVal(cty.String), nil
		}
		if !a[1].Type().IsObjectType() && !a[1].Type().IsMapType() || a[1].IsNull() {
			return cty.NilVal, function.NewArgErrorf(1, "the variables are an object: { name = value, ... }")
		}
		path := s.path(a[0].AsString())
		expr, diags := s.contents.template(path)
		if diags.HasErrors() {
			return cty.NilVal, function.NewArgErrorf(0, "%s", diags.Error())
		}
		funcs := s.scope.Functions
		ctx := &hcl.EvalContext{Variables: a[1].AsValueMap(), Functions: funcs}
		if ctx.Variables == nil {
			ctx.Variables = map[string]cty.Value{}
		}
		v, diags := expr.Value(ctx)
		if diags.HasErrors() {
			return cty.NilVal, function.NewArgErrorf(1, "%s", diags.Error())
		}
		return convert.Convert(v, cty.String)
	}
	return function.New(&function.Spec{
		Params: []function.Parameter{
			{Name: "path", Type: cty.String},
			{Name: "vars", Type: cty.DynamicPseudoType, AllowUnknown: true, AllowMarked: true},
		},
		Type: function.StaticReturnType(cty.String),
		Impl: func(a []cty.Value, _ cty.Type) (cty.Value, error) {
			vars, marks := a[1].Unmark()
			v, err := render([]cty.Value{a[0], vars})
			if err != nil {
				return cty.NilVal, err
			}
			if s.contents.isSealed(s.path(a[0].AsString())) {
				v = v.Mark(sensitive)
			}
			return v.WithMarks(marks), nil
		},
	})
}

// textFunction makes a function from strings to a string.
func textFunction(params []string, do func([]string) (string, error)) function.Function {
	spec := &function.Spec{Type: function.StaticReturnType(cty.String)}
	for _, p := range params {
		spec.Params = append(spec.Params, function.Parameter{Name: p, Type: cty.String})
	}
	spec.Impl = func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		in := make([]string, len(args))
		for i, a := range args {
			in[i] = a.AsString()
		}
		out, err := do(in)
		if err != nil {
			return cty.NilVal, err
		}
		return cty.StringVal(out), nil
	}
	return function.New(spec)
}

func simple(do func(string) string) function.Function {
	return textFunction([]string{"string"}, func(a []string) (string, error) { return do(a[0]), nil })
}

func pureFunctions() map[string]function.Function {
	return map[string]function.Function{
		"abs": stdlib.AbsoluteFunc, "alltrue": allTrue, "anytrue": anyTrue,
		"basename": simple(filepath.Base), "base64decode": base64Decode,
		"base64encode": simple(func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }),
		"can":          tryfunc.CanFunc, "ceil": stdlib.CeilFunc, "chomp": stdlib.ChompFunc, "chunklist": stdlib.ChunklistFunc,
		"cidrcontains": cidrContains, "cidrhost": cidr.HostFunc, "cidrnetmask": cidr.NetmaskFunc, "cidrsubnet": cidr.SubnetFunc,
		"cidrsubnets": cidr.SubnetsFunc, "cidrprefix": cidrPrefix, "cidrip": cidrIP,
		"coalesce": collection.CoalesceFunc, "coalescelist": stdlib.CoalesceListFunc, "compact": stdlib.CompactFunc,
		"concat": stdlib.ConcatFunc, "contains": stdlib.ContainsFunc, "csvdecode": stdlib.CSVDecodeFunc,
		"dirname": simple(filepath.Dir), "distinct": stdlib.DistinctFunc, "element": stdlib.ElementFunc,
		"endswith": affix(strings.HasSuffix), "flatten": stdlib.FlattenFunc, "floor": stdlib.FloorFunc, "format": stdlib.FormatFunc,
		"formatdate": stdlib.FormatDateFunc, "formatlist": stdlib.FormatListFunc, "indent": stdlib.IndentFunc,
		"index": indexOf, "int": stdlib.IntFunc, "join": stdlib.JoinFunc, "jsondecode": stdlib.JSONDecodeFunc,
		"jsonencode": stdlib.JSONEncodeFunc, "keys": stdlib.KeysFunc, "length": length, "log": stdlib.LogFunc,
		"lookup": lookup, "lower": stdlib.LowerFunc, "max": stdlib.MaxFunc, "merge": stdlib.MergeFunc, "min": stdlib.MinFunc,
		"nonsensitive": marking(func(v cty.Value) cty.Value { v, _ = v.UnmarkDeep(); return v }), "one": one,
		"parseint": stdlib.ParseIntFunc, "pow": stdlib.PowFunc, "range": rangeFunc, "regex": stdlib.RegexFunc,
		"regexall": stdlib.RegexAllFunc, "replace": replace, "reverse": stdlib.ReverseListFunc,
		"sensitive": marking(func(v cty.Value) cty.Value { return v.Mark(sensitive) }), "setintersection": stdlib.SetIntersectionFunc,
		"setproduct": stdlib.SetProductFunc, "setsubtract": stdlib.SetSubtractFunc, "setunion": stdlib.SetUnionFunc,
		"sha1":   simple(func(s string) string { h := sha1.Sum([]byte(s)); return hex.EncodeToString(h[:]) }),
		"sha256": simple(func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }),
		"sha512": simple(func(s string) string { h := sha512.Sum512([]byte(s)); return hex.EncodeToString(h[:]) }),
		"signum": stdlib.SignumFunc, "slice": stdlib.SliceFunc, "sort": stdlib.SortFunc, "split": stdlib.SplitFunc,
		"startswith": affix(strings.HasPrefix), "strlen": stdlib.StrlenFunc, "strrev": stdlib.ReverseFunc, "substr": stdlib.SubstrFunc,
		"sum": sum, "title": stdlib.TitleFunc, "tobool": to(cty.Bool), "tolist": to(cty.List(cty.DynamicPseudoType)),
		"tomap": to(cty.Map(cty.DynamicPseudoType)), "tonumber": to(cty.Number), "toset": to(cty.Set(cty.DynamicPseudoType)),
		"tostring": to(cty.String), "transpose": transpose, "trim": stdlib.TrimFunc, "trimprefix": stdlib.TrimPrefixFunc,
		"trimspace": stdlib.TrimSpaceFunc, "trimsuffix": stdlib.TrimSuffixFunc, "try": tryfunc.TryFunc, "upper": stdlib.UpperFunc,
		"urlencode": simple(url.QueryEscape), "values": stdlib.ValuesFunc, "yamldecode": ctyyaml.YAMLDecodeFunc,
		"yamlencode": ctyyaml.YAMLEncodeFunc, "zipmap": stdlib.ZipmapFunc,
	}
}

var base64Decode = textFunction([]string{"string"}, func(a []string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(a[0])
	if err == nil && !utf8.Valid(b) {
		err = errors.New("what it encodes is not UTF-8 text")
	}
	return string(b), err
})

var cidrIP = textFunction([]string{"cidr"}, func(a []string) (string, error) {
	p, err := netip.ParsePrefix(a[0])
	return p.Addr().String(), err
})

var cidrPrefix = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "cidr", Type: cty.String}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(a []cty.Value, _ cty.Type) (cty.Value, error) {
		p, err := netip.ParsePrefix(a[0].AsString())
		return cty.NumberIntVal(int64(p.Bits())), err
	},
})

// cidrContains says whether a network holds an address or another network.
var cidrContains = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "network", Type: cty.String}, {Name: "address", Type: cty.String}},
	Type:   function.StaticReturnType(cty.Bool),
	Impl: func(a []cty.Value, _ cty.Type) (cty.Value, error) {
		outer, err := netip.ParsePrefix(a[0].AsString())
		if err != nil {
			return cty.NilVal, function.NewArgError(0, err)
		}
		if addr, err := netip.ParseAddr(a[1].AsString()); err == nil {
			return cty.BoolVal(outer.Contains(addr)), nil
		}
		inner, err := netip.ParsePrefix(a[1].AsString())
		if err != nil {
			return cty.NilVal, function.NewArgErrorf(1, "%q is neither an address nor a network", a[1].AsString())
		}
		return cty.BoolVal(outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())), nil
	},
})

func affix(has func(s, part string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "string", Type: cty.String}, {Name: "part", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(a []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(has(a[0].AsString(), a[1].AsString())), nil
		},
	})
}

// replace treats a search text between slashes as a regular expression.
var replace = textFunction([]string{"string", "substring", "replacement"}, func(a []string) (string, error) {
	if n := len(a[1]); n > 1 && a[1][0] == '/' && a[1][n-1] == '/' {
		re, err := regexp.Compile(a[1][1 : n-1])
		if err != nil {
			return "", err
		}
		return re.ReplaceAllString(a[0], a[2]), nil
	}
	return strings.ReplaceAll(a[0], a[1], a[2]), nil
})
