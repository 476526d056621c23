{{- /* What the chart has to know of the program's settings, with the program's own defaults. */}}

{{- define "event-normalizer.settingsFile" -}}
{{- tpl (toYaml .Values.settings) . }}
{{- end }}

{{- define "event-normalizer.hasOwnSettings" -}}
{{- if not (or .Values.existingSettings.configMap .Values.existingSettings.secret) }}true{{ end }}
{{- end }}

{{- define "event-normalizer.adminPort" -}}
{{- $address := "0.0.0.0:9464" }}
{{- if include "event-normalizer.hasOwnSettings" . }}
{{- $address = dig "admin" "address" $address .Values.settings }}
{{- end }}
{{- regexFind "[0-9]+$" $address }}
{{- end }}

{{- define "event-normalizer.group" -}}
{{- tpl (dig "kafka" "group" "event-normalizer" .Values.settings) . }}
{{- end }}

{{- define "event-normalizer.brokers" -}}
{{- tpl .Values.settings.kafka.brokers . }}
{{- end }}

{{- define "event-normalizer.shutdownSeconds" -}}
{{- $milliseconds := 25000 }}
{{- if include "event-normalizer.hasOwnSettings" . }}
{{- $milliseconds = dig "delivery" "shutdown_timeout_ms" $milliseconds .Values.settings }}
{{- end }}
{{- divf $milliseconds 1000 | ceil | int }}
{{- end }}

{{- /* The program drains within its own deadline; the rest is for a node that is slow to start the end of a pod. */}}
{{- define "event-normalizer.terminationGraceSeconds" -}}
{{- default (add (include "event-normalizer.shutdownSeconds" . | int) 20) .Values.terminationGracePeriodSeconds }}
{{- end }}

{{- define "event-normalizer.canHaveManyPods" -}}
{{- if or .Values.autoscaling.enabled .Values.keda.enabled (gt (int .Values.replicas) 1) }}true{{ end }}
{{- end }}

{{- define "event-normalizer.needsService" -}}
{{- if or .Values.service.enabled .Values.serviceMonitor.enabled (eq .Values.kind "StatefulSet") }}true{{ end }}
{{- end }}

{{- /* Whether the cluster knows an API, or is said to. */}}
{{- define "event-normalizer.hasMonitoring" -}}
{{- if or .Values.assumeApis (.Capabilities.APIVersions.Has "monitoring.coreos.com/v1") }}true{{ end }}
{{- end }}
