# What `podfarm hostdns remove` does as root. It is shown before it is run.
set -eu
{%- if names %}
systemctl disable --quiet --now podfarm-hostdns-names.path podfarm-hostdns.service || true
if [ -e /etc/NetworkManager/dnsmasq.d/podfarm.conf ]; then
  rm /etc/NetworkManager/dnsmasq.d/podfarm.conf
  nmcli general reload dns-full || true # NetworkManager may not run at the moment
fi
systemctl stop podfarm-hostdns-names.service podfarm-hostdns-again.service || true
systemctl reset-failed 'podfarm-hostdns*' || true # stopped in the middle of its work, a unit counts as failed
rm -f /etc/systemd/system/podfarm-hostdns.service /etc/systemd/system/podfarm-hostdns-names.service
rm -f /etc/systemd/system/podfarm-hostdns-again.service /etc/systemd/system/podfarm-hostdns-names.path
rm -f /usr/local/lib/podfarm/route /etc/podfarm/hostdns.conf
rm -f /var/lib/podfarm/servers /var/lib/podfarm/servers.new
rmdir /usr/local/lib/podfarm /etc/podfarm /var/lib/podfarm 2>/dev/null || true
systemctl daemon-reload
{%- endif %}
{%- if let Some(first_port) = first_port %}
rm -f /etc/sysctl.d/90-podfarm.conf
sysctl --quiet --write net.ipv4.ip_unprivileged_port_start={{ first_port }}
{%- endif %}
