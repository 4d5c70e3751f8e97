{{/* Rules that several policies share. */}}

{{/* Names are resolved by everyone. */}}
{{- define "vppo.dnsEgress" -}}
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end -}}

{{/* The API server has no pods to select: it is reached by address and port. */}}
{{- define "vppo.apiServerEgress" -}}
{{- with .Values.networkPolicy.apiServer -}}
- ports:
    {{- range .ports }}
    - {port: {{ int . }}, protocol: TCP}
    {{- end }}
  {{- with .cidrs }}
  to:
    {{- range . }}
    - ipBlock: {cidr: {{ . }}}
    {{- end }}
  {{- end }}
{{- end -}}
{{- end -}}

{{- define "vppo.postgresEgress" -}}
{{- if eq .Values.archive.kind "postgres" -}}
- ports:
    - {port: {{ int .Values.networkPolicy.postgres.port }}, protocol: TCP}
  {{- with .Values.networkPolicy.postgres.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
{{- end -}}

{{/* Pods of jobs, in the namespaces that are watched. */}}
{{- define "vppo.jobPods" -}}
- podSelector:
    matchExpressions:
      - {key: vppo.io/job, operator: Exists}
  {{- $namespaces := include "vppo.namespaces" . | fromJsonArray }}
  namespaceSelector:
    {{- if $namespaces }}
    matchExpressions:
      - key: kubernetes.io/metadata.name
        operator: In
        values: {{ toJson $namespaces }}
    {{- else }} {}
    {{- end }}
{{- end -}}
