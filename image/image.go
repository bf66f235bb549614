package image

import (
	"fmt"
	"runtime"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Native is the platform of this machine, as images name it.
func Native() v1.Platform { return v1.Platform{OS: "linux", Architecture: runtime.GOARCH} }

// New makes an image of layers. Created is recorded in it; it should be the
// commit's time, never the present.
func New(config v1.Config, platform v1.Platform, created time.Time, layers ...v1.Layer) (v1.Image, error) {
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, l := range layers {
		var err error
		img, err = mutate.Append(img, mutate.Addendum{Layer: l, History: v1.History{Created: v1.Time{Time: created.UTC()}}})
		if err != nil {
			return nil, fmt.Errorf("adding a layer: %w", err)
		}
	}
	file, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Variant = platform.OS, platform.Architecture, platform.Variant
	file.Created = v1.Time{Time: created.UTC()}
	file.Config = config
	return mutate.ConfigFile(img, file)
}

// Index joins images of several platforms under one name.
func Index(images map[string]v1.Image, order []v1.Platform) v1.ImageIndex {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range order {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: images[p.String()], Descriptor: v1.Descriptor{Platform: &p},
		})
	}
	return index
}
