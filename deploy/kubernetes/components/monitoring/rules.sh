#!/bin/sh
# rules.sh [FILE]: print deploy/monitoring's alerts as a PrometheusRule: rules.yaml is that.
set -eu
cat <<END
# Made by rules.sh from deploy/monitoring/prometheus/rules/zaehlwerk.yml.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: zaehlwerk}
spec:
END
sed -n '/^groups:/,$s/^./  &/p' "${1:-$(dirname "$0")/../../../monitoring/prometheus/rules/zaehlwerk.yml}"
