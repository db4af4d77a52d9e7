package modulestest

import (
	"context"
	"fmt"

	"labctl/modules/host"
)

// PackageSuite tries package. The machine knows of lab-one and lab-two the versions 1.0-1 and 2.0-1; lab-one recommends lab-two, which
// provides lab-any.
func PackageSuite() Suite {
	return Suite{Module: "package", Steps: 30, Compare: samePackages, States: append(states("package", `{"name":"lab-one","install_recommends":false}`, `{"name":"x","names":["lab-two","lab-one","lab-two"]}`,
		`{"name":"lab-one","version":"1.0-1","install_recommends":false}`, `{"name":"lab-one","latest":true,"install_recommends":false}`, `{"name":"x","names":["lab-two"],"version":"1.0-1","update_cache":true}`,
		`{"name":"x","names":["lab-one","lab-two"],"latest":true,"update_cache":true,"cache_valid_time":"24h"}`, `{"name":"lab-two"}`),
		Absent("package", `{"name":"lab-one"}`), Absent("package", `{"name":"x","names":["lab-one","lab-two"]}`)),
		Rejects: []Reject{{`{"name":"a b"}`, "name"}, {`{"name":"a=1"}`, "name"}, {`{"name":"x","names":["-a"]}`, "names[0]"}, {`{"name":"x","names":[]}`, "names"},
			{`{"name":"x","names":["a","b"],"version":"1"}`, "version"}, {`{"name":"a","version":"1 2"}`, "version"}, {`{"name":"a","version":"1","latest":true}`, "latest"},
			{`{"name":"a","cache_valid_time":"soon"}`, "cache_valid_time"}}}
}

func samePackages(ctx context.Context, model, real host.Host) string {
	names := []string{"lab-one", "lab-two"}
	a, err := model.Packages().Installed(ctx, names)
	if err != nil {
		return err.Error()
	}
	b, err := real.Packages().Installed(ctx, names)
	if err != nil || fmt.Sprint(a) != fmt.Sprint(b) {
		return fmt.Sprint("model: ", a, "\nhost:  ", b, err)
	}
	return ""
}
