// Command image makes the sidecar's container image, without a container
// engine: an OCI archive of all platforms. The same commit gives the same
// digest.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/leader-elector/leader-elector/image"
)

func main() {
	source := flag.String("source", ".", "the repository's folder")
	version := flag.String("version", "unknown", "the version to link into the program, and the image's tag")
	out := flag.String("o", "dist/leader-elector.tar", "the archive to write")
	flag.Parse()
	if err := run(context.Background(), *source, *version, *out); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, source, version, out string) error {
	said, err := exec.CommandContext(ctx, "git", "-C", source, "log", "-1", "--format=%ct %H").Output()
	if err != nil {
		return fmt.Errorf("asking git for the commit: %w", err)
	}
	when, revision, _ := strings.Cut(strings.TrimSpace(string(said)), " ")
	seconds, err := strconv.ParseInt(when, 10, 64)
	if err != nil {
		return fmt.Errorf("the commit's time: %w", err)
	}
	index, err := image.Sidecar{Source: source, Version: version, Revision: revision, Created: time.Unix(seconds, 0)}.Build(ctx)
	if err != nil {
		return err
	}
	name := "leader-elector:" + version
	if err := image.Archive(out, name, index); err != nil {
		return fmt.Errorf("writing %s: %w", out, err)
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Printf("%s %s\n%s\n", name, digest, out)
	return nil
}
