package chart

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"helm.sh/helm/v4/pkg/chart/common"
	values "helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
)

// Release is what a chart is rendered for.
type Release struct {
	Chart     string // its folder or archive
	Name      string
	Namespace string
	Values    string // YAML over the chart's own
}

// Object is one object of a rendered chart.
type Object map[string]any

// Kind and Name are those of the object.
func (o Object) Kind() string { s, _ := o["kind"].(string); return s }
func (o Object) Name() string {
	m, _ := o["metadata"].(map[string]any)
	s, _ := m["name"].(string)
	return s
}

// at goes down into maps by name and into lists by number.
func at(o any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := o.(map[string]any)
			o = m[step]
		case int:
			l, _ := o.([]any)
			if step >= len(l) {
				return nil
			}
			o = l[step]
		}
	}
	return o
}

// text renders the chart as Helm does, schema included: file to content.
func (r Release) text(ctx context.Context) (map[string]string, error) {
	c, err := loader.Load(r.Chart)
	if err != nil {
		return nil, err
	}
	given, err := loader.LoadValues(strings.NewReader(r.Values))
	if err != nil {
		return nil, err
	}
	if err := util.ProcessDependencies(c, given); err != nil {
		return nil, err
	}
	all, err := values.ToRenderValues(c, given, common.ReleaseOptions{Name: r.Name, Namespace: r.Namespace, Revision: 1, IsInstall: true}, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	// A value that is misspelt in a template must not be an empty one.
	return engine.Engine{Strict: true}.RenderWithContext(ctx, c, all)
}

// Objects are what the chart makes, in the order of its files; hooks too.
func (r Release) Objects(ctx context.Context) (objects []Object, err error) {
	files, err := r.text(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		d := yaml.NewDecoder(strings.NewReader(files[name]))
		for {
			var o map[string]any // a named type would be that of the maps in it too
			err := d.Decode(&o)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w\n%s", name, err, files[name])
			}
			if o != nil {
				objects = append(objects, o)
			}
		}
	}
	return objects, nil
}

// find is the one object of a kind and name.
func find(objects []Object, kind, name string) Object {
	for _, o := range objects {
		if o.Kind() == kind && o.Name() == name {
			return o
		}
	}
	return nil
}
