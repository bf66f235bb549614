package inject

// What the sidecar may do, as deploy/base and deploy/components say it; a test
// holds the two against each other.

func words(all ...string) []any {
	list := make([]any, len(all))
	for i, w := range all {
		list[i] = w
	}
	return list
}

func rule(group, resource string, names []any, verbs ...string) fields {
	r := fields{{"apiGroups", words(group)}, {"resources", words(resource)}}
	if names != nil {
		r = append(r, field{"resourceNames", names})
	}
	return append(r, field{"verbs", words(verbs...)})
}

// lockRules are the rights to the lock of an election.
func lockRules(lock, election string) (rules []any) {
	for _, kind := range map[string][][2]string{
		"leases":           {{"coordination.k8s.io", "leases"}},
		"endpoints":        {{"", "endpoints"}},
		"endpoints+leases": {{"", "endpoints"}, {"coordination.k8s.io", "leases"}},
	}[lock] {
		rules = append(rules, rule(kind[0], kind[1], words(election), "get", "list", "watch", "update"), rule(kind[0], kind[1], nil, "create"))
	}
	return rules
}

// routeRules are the rights to move the traffic, none if others do.
func routeRules(route, service string) []any {
	switch route {
	case EndpointSlice:
		return []any{
			rule("discovery.k8s.io", "endpointslices", words(sliceName(service, "IPv4"), sliceName(service, "IPv6")), "get", "watch", "update"),
			rule("discovery.k8s.io", "endpointslices", nil, "create", "list"),
			rule("", "services", words(service), "get"),
		}
	case Label:
		return []any{rule("", "pods", nil, "list", "watch", "patch")}
	}
	return nil
}

// rights are the objects that give an election's pods their rights.
func (e *election) rights() (all []fields) {
	name := ownName + "-" + e.name
	if e.ownAccount {
		all = append(all, fields{{"apiVersion", "v1"}, {"kind", "ServiceAccount"}, {"metadata", meta(e.account, e.namespace)}})
	}
	all = append(all, e.role(name, e.lockNamespace, lockRules(e.lock, e.name))...)
	if rules := routeRules(e.route, e.service); rules != nil {
		all = append(all, e.role(name+"-"+e.route, e.namespace, rules)...)
	}
	return all
}

// role is a Role, and the RoleBinding that gives it to the pods' account.
func (e *election) role(name, namespace string, rules []any) []fields {
	const api = "rbac.authorization.k8s.io"
	return []fields{
		{{"apiVersion", api + "/v1"}, {"kind", "Role"}, {"metadata", meta(name, namespace)}, {"rules", rules}},
		{{"apiVersion", api + "/v1"}, {"kind", "RoleBinding"}, {"metadata", meta(name, namespace)},
			{"roleRef", fields{{"apiGroup", api}, {"kind", "Role"}, {"name", name}}},
			{"subjects", []any{fields{{"kind", "ServiceAccount"}, {"name", e.account}, {"namespace", e.namespace}}}}},
	}
}

func meta(name, namespace string) fields { return fields{{"name", name}, {"namespace", namespace}} }
