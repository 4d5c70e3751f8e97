{{/* What the schema cannot say. Every message: the rule, the value, the cure. */}}
{{- define "vppo.check" -}}
{{- $v := .Values -}}
{{- if and $v.archive.postgres.url (not $v.dev) -}}
{{- fail "archive.postgres.url must not stand in values, got one; put it into a Secret and name that in archive.postgres.existingSecret (or set dev=true on a cluster of your own)" -}}
{{- end -}}
{{- if and (eq $v.archive.kind "postgres") (not (or $v.archive.postgres.existingSecret $v.archive.postgres.url)) -}}
{{- fail "archive.postgres.existingSecret must name a Secret with archive.kind postgres, got nothing; make one with the entry `url`" -}}
{{- end -}}
{{- if and (eq $v.archive.kind "postgres") $v.state.persistence.enabled (not $v.state.persistence.existingClaim) (ne $v.state.persistence.accessMode "ReadWriteMany") -}}
{{- fail (printf "state.persistence.accessMode must be ReadWriteMany with archive.kind postgres, got %s; set it, or state.persistence.enabled=false" $v.state.persistence.accessMode) -}}
{{- end -}}
{{- if and (eq $v.archive.kind "sqlite") (gt (int $v.operator.replicas) 1) -}}
{{- fail (printf "operator.replicas must be 1 with archive.kind sqlite, got %d; several pods need archive.kind=postgres" (int $v.operator.replicas)) -}}
{{- end -}}
{{- if and (eq $v.rbac.scope "cluster") $v.watchNamespaces -}}
{{- fail (printf "watchNamespaces must be empty with rbac.scope cluster, got %s; drop them, or set rbac.scope=namespace" (join ", " $v.watchNamespaces)) -}}
{{- end -}}
{{- $namespaces := include "vppo.namespaces" . | fromJsonArray -}}
{{- if and $namespaces (not (has (include "vppo.defaultNamespace" .) $namespaces)) -}}
{{- fail (printf "api.defaultNamespace must be a namespace that is watched (%s), got %s; add it to watchNamespaces" (join ", " $namespaces) $v.api.defaultNamespace) -}}
{{- end -}}
{{- if and $v.mlflow.enabled $v.mlflow.uri -}}
{{- fail (printf "mlflow.uri must be empty with mlflow.enabled, got %s; choose one" $v.mlflow.uri) -}}
{{- end -}}
{{- if and $v.storage.create $v.storage.existingClaim -}}
{{- fail (printf "storage.existingClaim must be empty with storage.create, got %s; choose one" $v.storage.existingClaim) -}}
{{- end -}}
{{- with $v.receiver.certificate -}}
{{- if and .certManager.enabled (not .certManager.issuerName) -}}
{{- fail "receiver.certificate.certManager.issuerName must name an issuer, got nothing; set it" -}}
{{- end -}}
{{- if and .certManager.enabled .existingSecret -}}
{{- fail (printf "receiver.certificate.existingSecret must be empty with certManager.enabled, got %s; choose one" .existingSecret) -}}
{{- end -}}
{{- end -}}
{{- if and $v.httpRoute.enabled (not $v.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs must name a Gateway, got nothing; add `- name: GATEWAY`" -}}
{{- end -}}
{{- end -}}
