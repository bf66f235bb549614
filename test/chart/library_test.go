package chart

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheLibraryWorksAsItsPageShows: the fences of its README, put into a chart
// of somebody else's.
func TestTheLibraryWorksAsItsPageShows(t *testing.T) {
	page, err := os.ReadFile(Library + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(shown) != 3 {
		t.Fatalf("the page shows %d files, want 3", len(shown))
	}
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "charts", "leader-elector-sidecar"), os.DirFS(Library)); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"Chart.yaml":  "apiVersion: v2\nname: theirs\nversion: 1.2.3\n" + shown[0][1],
		"values.yaml": "sidecar: {route: endpointslice, stateFile: /leader/state}\n",
		"templates/deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: theirs }\nspec:\n  template:\n" +
			shown[1][1] + "      containers: [{ name: app, image: theirs }]\n",
		"templates/leader-elector.yaml": shown[2][1],
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	made := objects(t, Release{Chart: dir, Name: "radio", Namespace: "theirs"})
	spec := pod(t, made)
	args := arguments(at(spec, "initContainers", 0))
	for _, want := range []string{"--election=radio", "--service=radio", "--state-file=/leader/state"} {
		if !slices.Contains(args, want) {
			t.Errorf("the sidecar is started with %q, want %s among them", args, want)
		}
	}
	if at(spec, "volumes", 0, "name") != "leader-elector-state" || at(spec, "serviceAccountName") != "radio" {
		t.Errorf("the pod has the volumes %v and the account %v", at(spec, "volumes"), at(spec, "serviceAccountName"))
	}
	if find(made, "Role", "radio-leader-elector") == nil || find(made, "RoleBinding", "radio-leader-elector-endpointslice") == nil {
		t.Errorf("rights are missing among %d objects", len(made))
	}
	// A misspelt setting is refused there too.
	_, err = Release{Chart: dir, Name: "radio", Namespace: "theirs", Values: "sidecar: {tttl: 10s}"}.Objects(t.Context())
	if err == nil || !strings.Contains(err.Error(), "tttl") {
		t.Errorf("the setting tttl is taken: %v", err)
	}
}

// TestEveryTemplateIsOnThePage, and the page names no other.
func TestEveryTemplateIsOnThePage(t *testing.T) {
	page, err := os.ReadFile(Library + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(Library + "/templates/*.tpl")
	if err != nil {
		t.Fatal(err)
	}
	inside := regexp.MustCompile(`^leader-elector\.(settings|image|containerParts|mounts|role|flags|flagsOn|rules\..*)$`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`define "([^"]+)"`).FindAllStringSubmatch(string(text), -1) {
			short := strings.TrimPrefix(m[1], "leader-elector")
			if !inside.MatchString(m[1]) && !strings.Contains(string(page), "`"+m[1]+"`") && !strings.Contains(string(page), "`"+short+"`") {
				t.Errorf("the page does not have the template %s", m[1])
			}
		}
	}
}
