# What `podfarm hostdns install` does as root. It is shown before it is run.
set -eu
{%- if names %}

# podfarm's names go to a link of their own; no other name does (the script says how)
mkdir -p /usr/local/lib/podfarm /etc/podfarm
cat >/usr/local/lib/podfarm/route <<'END_OF_FILE'
{{ route }}END_OF_FILE
chmod 755 /usr/local/lib/podfarm/route
cat >/etc/podfarm/hostdns.conf <<'END_OF_FILE'
FOLDER={{ folder }}
ADDRESS={{ address }}
PORT={{ port }}
END_OF_FILE
cat >/etc/systemd/system/podfarm-hostdns.service <<'END_OF_FILE'
{{ service }}END_OF_FILE
cat >/etc/systemd/system/podfarm-hostdns-names.service <<'END_OF_FILE'
{{ names_service }}END_OF_FILE
cat >/etc/systemd/system/podfarm-hostdns-again.service <<'END_OF_FILE'
{{ again_service }}END_OF_FILE
cat >/etc/systemd/system/podfarm-hostdns-names.path <<'END_OF_FILE'
{{ names_path }}END_OF_FILE
systemctl daemon-reload
systemctl enable --quiet podfarm-hostdns.service podfarm-hostdns-names.path
systemctl restart podfarm-hostdns.service podfarm-hostdns-names.path
{%- endif %}
{%- if ports %}

# ordinary users may publish ports from 22 up, so that ssh and http are at their own numbers; before, it was {{ first_port }}
cat >/etc/sysctl.d/90-podfarm.conf <<'END_OF_FILE'
# Written by podfarm hostdns install; before: {{ first_port }}
net.ipv4.ip_unprivileged_port_start = 22
END_OF_FILE
sysctl --quiet --load /etc/sysctl.d/90-podfarm.conf
{%- endif %}
