# What `podfarm hostdns install` does as root. It is shown before it is run.
set -eu
{%- if let Some(names) = names %}

# podfarm's names go to podfarm's dnsmasq; no other name does (the script says how)
mkdir -p /usr/local/lib/podfarm /etc/podfarm
cat >/usr/local/lib/podfarm/route <<'END_OF_FILE'
{{ names.route }}END_OF_FILE
chmod 755 /usr/local/lib/podfarm/route
cat >/etc/podfarm/hostdns.conf <<'END_OF_FILE'
RESOLVER={{ names.resolver }}
FOLDER={{ names.folder }}
ADDRESS={{ names.address }}
PORT={{ names.port }}
END_OF_FILE
cat >/etc/systemd/system/podfarm-hostdns.service <<'END_OF_FILE'
{{ names.service }}END_OF_FILE
cat >/etc/systemd/system/podfarm-hostdns-names.service <<'END_OF_FILE'
{{ names.names_service }}END_OF_FILE
cat >/etc/systemd/system/podfarm-hostdns-again.service <<'END_OF_FILE'
{{ names.again_service }}END_OF_FILE
cat >/etc/systemd/system/podfarm-hostdns-names.path <<'END_OF_FILE'
{{ names.names_path }}END_OF_FILE
systemctl daemon-reload
systemctl enable --quiet podfarm-hostdns.service podfarm-hostdns-names.path
systemctl restart podfarm-hostdns.service podfarm-hostdns-names.path
{%- if names.resolver == Resolver::NetworkManager %}

# NetworkManager's dnsmasq reads where podfarm's names are from a file of its own
echo servers-file=/var/lib/podfarm/servers >/etc/NetworkManager/dnsmasq.d/podfarm.conf
nmcli general reload dns-full
{%- endif %}
{%- endif %}
{%- if let Some(first_port) = first_port %}

# ordinary users may publish ports from 22 up, so that ssh and http are at their own numbers; before, it was {{ first_port }}
cat >/etc/sysctl.d/90-podfarm.conf <<'END_OF_FILE'
# Written by podfarm hostdns install; before: {{ first_port }}
net.ipv4.ip_unprivileged_port_start = 22
END_OF_FILE
sysctl --quiet --load /etc/sysctl.d/90-podfarm.conf
{%- endif %}
