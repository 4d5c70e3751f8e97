{{/* Names and labels. */}}

{{- define "vppo.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* First part of every name: the release, with the chart's name unless the release bears it. */}}
{{- define "vppo.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "vppo.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "vppo.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* First part of the names of cluster-wide objects: two releases of one name must not meet. */}}
{{- define "vppo.clusterName" -}}
{{- printf "%s-%s" (include "vppo.fullname" .) .Release.Namespace -}}
{{- end -}}

{{- define "vppo.selector" -}}
app.kubernetes.io/name: {{ include "vppo.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "vppo.labels" -}}
{{ include "vppo.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: vppo
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Services and policies select pods by what they serve, so that they hold for both shapes. */}}
{{- define "vppo.serves" -}}
vppo.io/serves-{{ . }}: "true"
{{- end -}}

{{- define "vppo.isOnePod" -}}
{{- if eq .Values.archive.kind "sqlite" }}true{{ end -}}
{{- end -}}

{{/* ServiceAccount of API and of operator; in one pod they are the same. */}}
{{- define "vppo.apiAccount" -}}
{{ include "vppo.fullname" . }}{{ if not (include "vppo.isOnePod" .) }}-api{{ end }}
{{- end -}}

{{- define "vppo.operatorAccount" -}}
{{ include "vppo.fullname" . }}{{ if not (include "vppo.isOnePod" .) }}-operator{{ end }}
{{- end -}}

{{/* Namespaces with jobs, as a JSON list. With rbac.scope cluster it is empty: all. */}}
{{- define "vppo.namespaces" -}}
{{- if eq .Values.rbac.scope "cluster" -}}
[]
{{- else -}}
{{- default (list .Release.Namespace) .Values.watchNamespaces | uniq | toJson -}}
{{- end -}}
{{- end -}}

{{/* Namespace of requests that name none: the release's own, or else the first with jobs. */}}
{{- define "vppo.defaultNamespace" -}}
{{- $namespaces := include "vppo.namespaces" . | fromJsonArray -}}
{{- $first := .Release.Namespace -}}
{{- if and $namespaces (not (has $first $namespaces)) -}}
{{- $first = first $namespaces -}}
{{- end -}}
{{- default $first .Values.api.defaultNamespace -}}
{{- end -}}

{{- define "vppo.jobAccount" -}}
{{- $made := and .Values.jobs.serviceAccount.create (ne .Values.rbac.scope "cluster") -}}
{{- default (ternary "vppo-job" "default" $made) .Values.jobs.serviceAccount.name -}}
{{- end -}}

{{/* Image by digest where there is one. Takes `image` and the root as `root`. */}}
{{- define "vppo.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ default .root.Chart.AppVersion .image.tag }}
{{- end -}}
{{- end -}}

{{- define "vppo.stateClaim" -}}
{{- default (printf "%s-state" (include "vppo.fullname" .)) .Values.state.persistence.existingClaim -}}
{{- end -}}

{{- define "vppo.receiverSecret" -}}
{{- default (printf "%s-receiver" (include "vppo.fullname" .)) .Values.receiver.certificate.existingSecret -}}
{{- end -}}

{{- define "vppo.databaseSecret" -}}
{{- default (printf "%s-database" (include "vppo.fullname" .)) .Values.archive.postgres.existingSecret -}}
{{- end -}}
