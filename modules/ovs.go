package modules

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"labctl/modules/host"
	"labctl/modules/schema"
)

// OnOVS is embedded by the modules of Open vSwitch.
type OnOVS struct {
	missing error // planning: why the host has no Open vSwitch yet
}

// row reads one row; nil when there is none.
func (o *OnOVS) row(ctx context.Context, h host.Host, table, name string) (host.OVSRow, string, error) {
	row, holder, err := h.OVS().Row(ctx, table, name)
	if p, ok := h.(interface{ OVSMissing() error }); ok {
		o.missing = p.OVSMissing()
	}
	return row, holder, err
}

func (o *OnOVS) warn() []string {
	if o.missing == nil {
		return nil
	}
	return []string{fmt.Sprintf("planned as if Open vSwitch ran with nothing in its database, as of now: %v", o.missing)}
}

// noneUnsupported reads what is to be absent: where there is no Open vSwitch, or no cron, there is nothing of it.
func noneUnsupported[T any](read func(context.Context, host.Host, *T) (*T, error)) func(context.Context, host.Host, *T) (*T, error) {
	return func(ctx context.Context, h host.Host, want *T) (*T, error) {
		have, err := read(ctx, h, want)
		if errors.Is(err, host.ErrUnsupported) {
			return nil, nil
		}
		return have, err
	}
}

// ovsColumn returns the column that an attribute of a module stands for. Columns of an interface that are called as one of
// its port's have interface_ before them.
func ovsColumn(module, attribute string) (table, column string) {
	table = map[string]string{"ovs_bridge": "Bridge", "ovs_manager": "Manager", "ovs_mirror": "Mirror", "ovs_port": "Port"}[module]
	if _, ok := host.OVSTables[table][attribute]; ok {
		return table, attribute
	}
	if module != "ovs_port" {
		return "", ""
	}
	column = strings.TrimPrefix(attribute, "interface_")
	if _, ok := host.OVSTables["Interface"][column]; ok {
		return "Interface", column
	}
	return "", ""
}

// ovsRows returns what the arguments of a module say, by table; with d only those that differ.
func ovsRows(module string, arguments any, d *Diff) map[string]host.OVSRow {
	out := map[string]host.OVSRow{"Port": {}, "Interface": {}, "Bridge": {}, "Mirror": {}, "Manager": {}}
	block := Default[module].Schema()
	for i := range block.Attributes {
		a := &block.Attributes[i]
		table, column := ovsColumn(module, a.Name)
		v := a.Value(fieldsOf(arguments))
		if table == "" || a.Computed || host.OVSTables[table][column].Status || unset(v) || d != nil && !d.Has(a.Name) {
			continue
		}
		out[table][column] = ovsValue(reflect.Indirect(v), host.OVSTables[table][column].One)
	}
	return out
}

// ovsValue is a Go value in the words of host.OVSRow: nothing for what a column has by itself.
func ovsValue(v reflect.Value, one bool) []string {
	var out []string
	switch v.Kind() {
	case reflect.Struct:
		return v.Interface().(OVSQoS).pairs()
	case reflect.Map:
		for _, k := range v.MapKeys() {
			out = append(out, k.String()+"="+v.MapIndex(k).String())
		}
	case reflect.Slice:
		for i := range v.Len() {
			out = append(out, fmt.Sprint(v.Index(i).Interface()))
		}
	default:
		if v.IsZero() && (one || v.Kind() == reflect.String) {
			return nil
		}
		out = []string{fmt.Sprint(v.Interface())}
	}
	slices.Sort(out)
	return out
}

// fillOVS gives have what rows hold: all that want sets, and of the rest what is not as by itself.
func fillOVS(module string, have, want any, rows map[string]host.OVSRow, exclusive bool) error {
	block := Default[module].Schema()
	for i := range block.Attributes {
		a := &block.Attributes[i]
		table, column := ovsColumn(module, a.Name)
		asked := a.Value(fieldsOf(want))
		row := rows[table]
		if row == nil || a.Computed || host.OVSTables[table][column].Status || len(row[column]) == 0 && unset(asked) {
			continue
		}
		set := row[column]
		if a.Kind == schema.Map && a.Name != "options" && !exclusive && !unset(asked) {
			set = slices.DeleteFunc(slices.Clone(set), func(pair string) bool {
				k, _, _ := strings.Cut(pair, "=")
				return !asked.MapIndex(reflect.ValueOf(k)).IsValid()
			})
		}
		if err := setOVS(a.Value(fieldsOf(have)), set); err != nil {
			return fmt.Errorf("read %s of %s: %w", column, table, err)
		}
	}
	return nil
}

// setOVS is the inverse of ovsValue.
func setOVS(f reflect.Value, set []string) error {
	if f.Kind() == reflect.Pointer {
		f.Set(reflect.New(f.Type().Elem()))
		f = f.Elem()
	}
	switch f.Kind() {
	case reflect.Struct:
		f.Set(reflect.ValueOf(parseQoS(set)))
		return nil
	case reflect.Map:
		f.Set(reflect.MakeMap(f.Type()))
		for _, pair := range set {
			k, v, _ := strings.Cut(pair, "=")
			f.SetMapIndex(reflect.ValueOf(k), reflect.ValueOf(v))
		}
		return nil
	case reflect.Slice:
		f.Set(reflect.MakeSlice(f.Type(), len(set), len(set)))
		for i, s := range set {
			if err := setOVS(f.Index(i), []string{s}); err != nil {
				return err
			}
		}
		return nil
	}
	if len(set) == 0 {
		return nil
	}
	switch f.Kind() {
	case reflect.Int:
		n, err := strconv.Atoi(set[0])
		f.SetInt(int64(n))
		return err
	case reflect.Bool:
		f.SetBool(set[0] == "true")
	default:
		f.SetString(set[0])
	}
	return nil
}

// changeOVS says how to get columns of a row from what they are to what they are to be: of maps only the keys given, unless
// they are meant whole.
func changeOVS(key host.OVSKey, before, want host.OVSRow, exclusive bool) host.OVSChange {
	c := host.OVSChange{OVSKey: key, New: before == nil, Set: host.OVSRow{}, Add: host.OVSRow{}, Remove: host.OVSRow{}}
	for name, set := range want {
		switch col := host.OVSTables[key.Table][name]; {
		case !col.Map && !col.Own:
			c.Set[name] = set
		case col.Own || col.Rows || exclusive || name == "options":
			c.Remove[name], c.Add[name] = before[name], set
		default:
			c.Add[name] = set
		}
	}
	return c
}

// numberOrNone checks a number that may be "", for none.
func numberOrNone(path string, v *string, least int) error {
	if v == nil || *v == "" {
		return nil
	}
	n, err := strconv.Atoi(*v)
	if err != nil || n < least || n > 1<<31-1 {
		return argf(path, "%q is not a number, %d or more, nor \"\"", *v, least)
	}
	*v = strconv.Itoa(n)
	return nil
}

// ovsKeys checks the keys of maps.
func ovsKeys(path string, m map[string]string) error {
	for k := range m {
		if k == "" || strings.Contains(k, "=") {
			return argf(path, "%q is not a key", k)
		}
	}
	return nil
}

// ovsName checks the name of a bridge or port; those of interfaces are names of devices.
func ovsName(path, name string) error {
	if strings.ContainsAny(name, "\\") {
		return argf(path, "%q is not a device name", name)
	}
	return validDevice(path, name)
}
