// Command release makes the files of a version, and pushes its image and charts.
//
//	release [flags] make     into the folder
//	release [flags] push     from the folder, with the credentials of the Docker configuration
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

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/leader-elector/leader-elector/release"
)

func main() {
	var r release.Release
	flag.StringVar(&r.Source, "source", ".", "the repository's folder")
	flag.StringVar(&r.Version, "version", "unknown", "the version, which is the tag: v1.2.3")
	flag.StringVar(&r.Image, "image", "leader-elector", "where the image is to be found, without its tag")
	flag.StringVar(&r.Base, "base", "https://github.com/leader-elector/leader-elector/releases/download/VERSION", "the URL of the folder that the files are downloaded from")
	dir := flag.String("o", "dist/release", "the folder of the files")
	flag.Parse()
	r.Base = strings.Replace(r.Base, "VERSION", r.Version, 1)
	if err := run(context.Background(), r, *dir, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, r release.Release, dir, verb string) (err error) {
	if r.Created, r.Commit, err = commit(ctx, r.Source); err != nil {
		return err
	}
	switch verb {
	case "make":
		return r.Make(ctx, dir, func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) })
	case "push":
		digest, err := r.Push(dir, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
		if err == nil {
			fmt.Printf("digest=%s\n", digest)
		}
		return err
	}
	return fmt.Errorf("%q: write make or push, after the flags", verb)
}

// commit is the time and the hash of what is checked out.
func commit(ctx context.Context, source string) (time.Time, string, error) {
	said, err := exec.CommandContext(ctx, "git", "-C", source, "log", "-1", "--format=%ct %H").Output()
	if err != nil {
		return time.Time{}, "", fmt.Errorf("asking git for the commit: %w", err)
	}
	when, hash, _ := strings.Cut(strings.TrimSpace(string(said)), " ")
	seconds, err := strconv.ParseInt(when, 10, 64)
	return time.Unix(seconds, 0), hash, err
}
