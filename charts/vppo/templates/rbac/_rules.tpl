{{/* Rights in a namespace with jobs, no more than the programs use. */}}

{{- define "vppo.operatorRules" -}}
# Deleted where ttlSecondsAfterFinished is over.
- apiGroups: [vppo.io]
  resources: [vppojobs]
  verbs: [get, list, watch, patch, delete]
- apiGroups: [vppo.io]
  resources: [vppojobs/status]
  verbs: [get, patch]
# For blockOwnerDeletion in what it makes.
- apiGroups: [vppo.io]
  resources: [vppojobs/finalizers]
  verbs: [update]
- apiGroups: [ray.io]
  resources: [rayjobs]
  verbs: [get, list, watch, create, delete, patch]
- apiGroups: [ray.io]
  resources: [rayclusters]
  verbs: [get, list, watch, delete]
# Listed by label, to find what attempts left behind.
- apiGroups: [""]
  resources: [configmaps]
  verbs: [create, get, list, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [create, get, list, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [create, get, list, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [get, create, patch]
# The canary lies in the operator's own namespace, but is watched wherever jobs are.
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [list, watch]
{{- if include "vppo.usesKueue" . }}
- apiGroups: [kueue.x-k8s.io]
  resources: [workloads]
  verbs: [get, list, watch, patch]
{{- end }}
{{- end -}}

{{- define "vppo.apiRules" -}}
- apiGroups: [vppo.io]
  resources: [vppojobs]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
{{- if include "vppo.usesKueue" . }}
- apiGroups: [kueue.x-k8s.io]
  resources: [workloads, localqueues]
  verbs: [get, list]
{{- end }}
{{- end -}}

{{/* Whom a binding is for. Takes root and account. */}}
{{- define "vppo.subjects" -}}
subjects:
  - kind: ServiceAccount
    name: {{ .account }}
    namespace: {{ .root.Release.Namespace }}
{{- end -}}
