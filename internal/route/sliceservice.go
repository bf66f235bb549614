package route

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// service is a v1 Service, as far as the slices follow from it.
type service struct {
	Spec struct {
		Type           string            `json:"type"`
		ClusterIP      string            `json:"clusterIP"`
		Selector       map[string]string `json:"selector"`
		IPFamilies     []string          `json:"ipFamilies"`
		IPFamilyPolicy string            `json:"ipFamilyPolicy"`
		Ports          []servicePort     `json:"ports"`
	} `json:"spec"`

	ports []port // of the slices
}

type servicePort struct {
	Name        string          `json:"name"`
	Protocol    string          `json:"protocol"`
	AppProtocol *string         `json:"appProtocol"`
	Port        int32           `json:"port"`
	TargetPort  json.RawMessage `json:"targetPort"` // a number, or the name of a container's port
}

// port is one of a slice.
type port struct {
	Name        string  `json:"name"`
	Protocol    string  `json:"protocol"`
	Port        int32   `json:"port"`
	AppProtocol *string `json:"appProtocol,omitempty"`
}

func parseService(body []byte) (*service, error) {
	svc := &service{}
	if err := json.Unmarshal(body, svc); err != nil {
		return nil, err
	}
	if len(svc.Spec.IPFamilies) == 0 {
		svc.Spec.IPFamilies = families[:1] // an ExternalName's, or an old server's
	}
	return svc, nil
}

func (svc *service) wants(family string) bool { return slices.Contains(svc.Spec.IPFamilies, family) }

// resolve makes the slices' ports of the Service's.
func (svc *service) resolve() error {
	svc.ports = []port{}
	for _, p := range svc.Spec.Ports {
		number, err := p.target()
		if err != nil {
			return err
		}
		if p.Protocol == "" {
			p.Protocol = "TCP"
		}
		svc.ports = append(svc.ports, port{Name: p.Name, Protocol: p.Protocol, Port: number, AppProtocol: p.AppProtocol})
	}
	return nil
}

// target is the port's number on the pod.
func (p *servicePort) target() (int32, error) {
	var name string
	if json.Unmarshal(p.TargetPort, &name) == nil && name != "" {
		return 0, fmt.Errorf("port %q has the targetPort %q, a name, which cannot be looked up without a right on pods; write its number", p.label(), name)
	}
	var number int32
	if len(p.TargetPort) > 0 && name == "" {
		if err := json.Unmarshal(p.TargetPort, &number); err != nil && string(p.TargetPort) != `""` {
			return 0, fmt.Errorf("port %q has a targetPort that is no number: %s", p.label(), p.TargetPort)
		}
	}
	if number == 0 {
		number = p.Port
	}
	return number, nil
}

func (p *servicePort) label() string {
	if p.Name != "" {
		return p.Name
	}
	return strconv.Itoa(int(p.Port))
}
