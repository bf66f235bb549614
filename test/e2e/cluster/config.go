package cluster

import (
	"strings"

	"github.com/leader-elector/leader-elector/test/e2e/images"
)

// fill puts a node's values into a template.
func (n *Node) fill(template string) string {
	return strings.NewReplacer("{dir}", n.dir, "{socket}", n.socket(), "{pods}", n.Pods,
		"{mirror}", mirrorAddress, "{ca}", n.caFile(), "{pause}", images.Pause).Replace(template)
}

func (n *Node) caFile() string {
	if n.cluster.Plane == nil {
		return ""
	}
	return n.cluster.Plane.CAFile
}

// Everything is below the node's folder: two runtimes on one machine share
// nothing, and what one leaves behind is found there.
const containerdConfig = `version = 2
root = "{dir}/containerd"
state = "{dir}/state"
[grpc]
address = "{socket}"
[plugins."io.containerd.internal.v1.opt"]
path = "{dir}/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
netns_mounts_under_state_dir = true
enable_unprivileged_ports = true # as later versions have it
# The machine that this runs on may itself be confined.
restrict_oom_score_adj = true
disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{dir}/cni"
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "{dir}/registry"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
Root = "{dir}/runc"
`

// Whatever registry an image names, it comes from the mirror: manifests are
// applied as they are.
const registryConfig = `[host."http://{mirror}"]
capabilities = ["pull", "resolve"]
`

const cniConfig = `{"cniVersion": "0.4.0", "name": "pods", "plugins": [{
  "type": "bridge", "bridge": "cni0", "isGateway": true,
  "ipam": {"type": "host-local", "dataDir": "{dir}/addresses", "ranges": [[{"subnet": "{pods}"}]], "routes": [{"dst": "0.0.0.0/0"}]}
}]}
`

// No cgroups per QoS and no limits on the node: they would need a machine of
// its own. Probes, restarts, evictions and graceful ends are the real ones.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, x509: {clientCAFile: "{ca}"}}
authorization: {mode: Webhook}
containerRuntimeEndpoint: "unix://{socket}"
failCgroupV1: false
cgroupsPerQOS: false
enforceNodeAllocatable: []
localStorageCapacityIsolation: false
failSwapOn: false
cgroupDriver: cgroupfs
resolvConf: /dev/null
podLogsDir: "{dir}/logs"
# A disk that is nearly full is the machine's affair.
evictionHard: {nodefs.available: "0%", imagefs.available: "0%", memory.available: 50Mi}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
`

const proxyConfig = `apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: %q}
hostnameOverride: %q
mode: nftables
# Kernel settings outside the namespace are left alone.
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
`
