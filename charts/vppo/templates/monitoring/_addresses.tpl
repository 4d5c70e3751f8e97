{{/* A printed file with the installation's own addresses in place of those of one machine. */}}
{{- define "vppo.addressed" -}}
{{- $file := index . 0 -}}
{{- $values := (index . 1).Values -}}
{{- $monitoring := $values.monitoring -}}
{{- $api := $monitoring.apiUrl -}}
{{- if and (not $api) $values.ingress.enabled $values.ingress.host -}}
{{- $scheme := ternary "https" "http" (ne $values.ingress.tlsSecret "") -}}
{{- $api = printf "%s://%s%s" $scheme $values.ingress.host $values.ingress.path -}}
{{- end -}}
{{- $runbooks := "http://localhost:3000/d/vppo-overview?viewPanel=999" -}}
{{- if $monitoring.runbooksUrl -}}
{{- $file = $file | replace $runbooks $monitoring.runbooksUrl -}}
{{- end -}}
{{- $file
  | replace "http://localhost:3000/" (printf "%s/" (trimSuffix "/" $monitoring.grafanaUrl))
  | replace "http://localhost:8080/" (printf "%s/" (trimSuffix "/" $api)) -}}
{{- end }}
