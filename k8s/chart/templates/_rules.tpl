{{- /* The rights of k8s/controller, from the same table: `make golden` writes them. */ -}}
{{- define "graylane.rules.controller" -}}
rules:
  # What should be true. patch: the finalizer, by which routes go before the object does; never `spec`.
  - apiGroups: [graylane.dev]
    resources: [lanegroups]
    verbs: [get, list, watch, patch]
  # What is true, and how far a plan is.
  - apiGroups: [graylane.dev]
    resources: [lanegroups/status]
    verbs: [patch]
  # Each plan is an apply, with the rights that one takes (k8s/rbac/graylane.yaml). watch: what others change goes
  # back to what the group says.
  - apiGroups: [networking.istio.io]
    resources: [destinationrules, virtualservices, gateways]
    verbs: [list, watch, create, patch, delete]
  # Hosts outside the mesh, for a group whose services have `external`.
  - apiGroups: [networking.istio.io]
    resources: [serviceentries]
    verbs: [list, watch, create, patch, delete]
  # delete: also the old version's, once it is retired.
  - apiGroups: [autoscaling]
    resources: [horizontalpodautoscalers]
    verbs: [list, watch, create, patch, delete]
  # The history of the applies. patch: who consumes which messages, for a spec with `consumers`.
  - apiGroups: [""]
    resources: [configmaps]
    verbs: [list, create, update, delete, patch]
  # What is to be driven. patch: the finalizer that holds a rollout until it has ended, and no spec.
  - apiGroups: [graylane.dev]
    resources: [rollouts]
    verbs: [get, list, watch, patch]
  # Its state, read and written by compare-and-swap.
  - apiGroups: [graylane.dev]
    resources: [rollouts/status]
    verbs: [update]
  # Preview lanes. patch: the finalizer, by which routes go before Pods do; never `spec`. delete: one that has
  # expired. The rules of preview lanes can be taken away together.
  - apiGroups: [graylane.dev]
    resources: [lanes]
    verbs: [get, list, watch, patch, delete]
  # Preview lanes: how far each is.
  - apiGroups: [graylane.dev]
    resources: [lanes/status]
    verbs: [patch]
  # One controller at a time, and one operator of a group at a time.
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    verbs: [get, create, update]
  # Read, so that nothing is routed to where nobody answers: Services and their ports, the Pods behind each subset and
  # which of them are ready, and whether the namespace has sidecars. A Role can grant its own namespace alone.
  - apiGroups: [discovery.k8s.io]
    resources: [endpointslices]
    verbs: [list]
  - apiGroups: [""]
    resources: [services, pods]
    verbs: [list]
  - apiGroups: [""]
    resources: [namespaces]
    verbs: [get]
  # How many Pods there are and how many are ready; delete: the old version, once it is retired.
  - apiGroups: [apps]
    resources: [deployments]
    verbs: [get, delete]
  # Of a Deployment only its number of Pods: no image, no command.
  - apiGroups: [apps]
    resources: [deployments/scale]
    verbs: [patch]
  # Preview lanes: their clones, and when the Pods of these are ready. RBAC cannot limit it to clones.
  - apiGroups: [apps]
    resources: [deployments]
    verbs: [list, watch, create, patch]
  # Preview lanes: the Jobs before and after, from the templates of CronJobs.
  - apiGroups: [batch]
    resources: [jobs]
    verbs: [list, watch, create, delete]
  - apiGroups: [batch]
    resources: [cronjobs]
    verbs: [get]
  # What happened to a group; each transition of a rollout, also as an Event of the new version's Deployment.
  - apiGroups: [""]
    resources: [events]
    verbs: [create]
  {{- with .Values.webhookSecrets }}
  # What signs the webhooks. Name here the Secrets of your rollouts' `notify`, or take the rule away: without
  # resourceNames it would be every Secret of the namespace.
  - apiGroups: [""]
    resources: [secrets]
    resourceNames: {{ toJson . }}
    verbs: [get]
  {{- end }}
{{- end }}
{{- define "graylane.rules.barrier" -}}
rules:
  # Which Pods are istiod's.
  - apiGroups: [""]
    resources: [pods]
    verbs: [list]
  # Their debug pages, which answer their own host alone: by a port-forward, as istioctl reads them. Older API servers
  # ask for one verb of the two. RBAC cannot say which Pod or port: this reaches any port of any Pod of istio-system.
  - apiGroups: [""]
    resources: [pods/portforward]
    verbs: [get, create]
{{- end }}
{{- define "graylane.rules.leader" -}}
rules:
  # One controller at a time.
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    verbs: [get, create, update]
{{- end }}
{{- define "graylane.rules.gateway" -}}
rules:
  # What a spec with `backend: gateway` renders to in place of VirtualServices and Gateways of Istio. watch: what
  # others change goes back to what the group says.
  - apiGroups: [gateway.networking.k8s.io]
    resources: [httproutes, grpcroutes, gateways, referencegrants]
    verbs: [list, watch, create, patch, delete]
  # A Service for each version. RBAC cannot say which: this reaches every Service of the namespace.
  - apiGroups: [""]
    resources: [services]
    verbs: [list, watch, create, patch, delete]
{{- end }}
