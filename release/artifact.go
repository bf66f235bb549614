package release

import (
	"bytes"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// artifact is one file as registries hold what is no image (OCI image-spec 1.1,
// "Guidelines for Artifact Usage").
type artifact struct {
	manifest []byte
	config   []byte
	layer    partial.CompressedLayer
}

// artifactOf makes one. about is the config, of the media type of; subject is
// what it hangs on, or nil.
func artifactOf(kind string, about []byte, of types.MediaType, data []byte, as types.MediaType, subject *v1.Descriptor, annotations map[string]string) (v1.Image, error) {
	a := artifact{config: about, layer: static.NewLayer(data, as)}
	m := v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1, ArtifactType: kind, Subject: subject, Annotations: annotations,
		Config: v1.Descriptor{MediaType: of},
		Layers: []v1.Descriptor{{MediaType: as}},
	}
	for d, data := range map[*v1.Descriptor][]byte{&m.Config: about, &m.Layers[0]: data} {
		var err error
		if d.Digest, d.Size, err = v1.SHA256(bytes.NewReader(data)); err != nil {
			return nil, err
		}
	}
	var err error
	if a.manifest, err = json.Marshal(m); err != nil {
		return nil, err
	}
	return partial.CompressedToImage(a)
}

func (a artifact) RawManifest() ([]byte, error)        { return a.manifest, nil }
func (a artifact) RawConfigFile() ([]byte, error)      { return a.config, nil }
func (a artifact) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }
func (a artifact) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	if own, err := a.layer.Digest(); err != nil || own != h {
		return nil, fmt.Errorf("there is no layer %s: %w", h, err)
	}
	return a.layer, nil
}
