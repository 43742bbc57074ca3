<?php
// The set on one page: its wikis, its members, and what to type to get at them.
require_once dirname( __DIR__ ) . '/farm.php';
$farm = new Farm;
$set = $farm->data['set'];
$members = $farm->data['members'];

function e( string|int|null $text ): string {
	return htmlspecialchars( (string)$text );
}

/** The version of a source's MediaWiki, as its own code says. */
function version( string $source ): string {
	$defines = @file_get_contents( "/srv/mediawiki/$source/includes/Defines.php" ) ?: '';
	return preg_match( "/'MW_VERSION', '([^']+)'/", $defines, $found ) ? $found[1] : '?';
}

/** The first member of a role, for sample commands. */
function first( array $members, string $role ): ?array {
	foreach ( $members as $member ) {
		if ( $member['role'] === $role ) {
			return $member;
		}
	}
	return null;
}

/** Where a member's web server is, by a name or an address of this host, as the one who asks came here. */
function url( array $member, array $port ): string {
	$byName = !filter_var( parse_url( "http://{$_SERVER['HTTP_HOST']}", PHP_URL_HOST ), FILTER_VALIDATE_IP );
	$host = $byName ? $member['full_name'] : $member['published'];
	return "http://$host" . ( $port['published'] === 80 ? '' : ":{$port['published']}" );
}

/** A member's web server, if it has one. */
function web( array $member ): ?array {
	foreach ( $member['ports'] as $port ) {
		if ( $port['name'] === 'http' ) {
			return $port;
		}
	}
	return null;
}

/** The dates of a database's public dumps, latest first. */
function runs( string $db ): array {
	return array_reverse( array_map( 'basename', glob( "/srv/dumps/public/$db/[0-9]*", GLOB_ONLYDIR ) ) );
}

$database = first( $members, 'mariadb' );
$snapshot = first( $members, 'snapshot' );
$dumps = first( $members, 'dumpsweb' );
$commands = [ "podfarm status $set" => 'each member\'s state, addresses and urls' ];
if ( $snapshot ) {
	$commands["podfarm shell $set {$snapshot['name']}"] = 'a shell where dumps are made';
	$commands["ssh {$snapshot['host']}"] = 'the same by ssh, after podfarm hostdns install or with podfarm ssh-config';
}
if ( $dumps ) {
	$commands["podfarm dump $set"] = 'dumps of every wiki';
}
if ( $database ) {
	$commands["podfarm exec $set {$database['name']} mariadb " . reset( $farm->databases )] = 'SQL, as root';
}
$commands += [
	"podfarm logs $set" => 'what all members say and write into their logs',
	"podfarm reset $set" => 'drop the edits and the dumps',
	"podfarm down $set" => 'leave nothing',
];
header( 'Content-Type: text/html; charset=utf-8' );
?>
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title><?= e( $set ) ?> – podfarm</title>
<style>
	:root { color-scheme: light dark; }
	body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
	h1 { margin: 0; }
	table { border-collapse: collapse; width: 100%; }
	th, td { text-align: start; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
	code { overflow-wrap: anywhere; }
	@media (max-width: 40rem) {
		thead { display: none; }
		tr { display: block; padding: .5rem 0; border-bottom: 1px solid #8884; }
		td { display: block; border: 0; padding: 0; }
		td[data-label]::before { content: attr(data-label) ": "; opacity: .6; }
	}
</style>
</head>
<body>
<h1><?= e( $set ) ?></h1>
<p><?= e( $farm->data['description'] ) ?></p>

<h2>Wikis</h2>
<table>
<thead><tr><th>Wiki</th><th>Language</th><th>MediaWiki</th><th>Database</th></tr></thead>
<tbody>
<?php foreach ( $farm->databases as $wiki => $db ): ?>
<?php $settings = $farm->data['wikis'][$db]; $content = Farm::content( $wiki ); ?>
<tr>
<td><a href="/<?= e( $wiki ) ?>/mw/"><bdi><?= e( $settings['sitename'] ?? $content['sitename'] ?? $wiki ) ?></bdi></a>
<?= $farm->data['commons'] === $db ? '(commons)' : '' ?><?= $settings['private'] ? '(private)' : '' ?></td>
<td data-label="Language"><?= e( $settings['lang'] ?? $content['lang'] ?? 'en' ) ?></td>
<td data-label="MediaWiki"><?= e( version( $settings['source'] ) ) ?></td>
<td data-label="Database"><code><?= e( $db ) ?></code></td>
</tr>
<?php endforeach ?>
</tbody>
</table>

<h2>Members</h2>
<table>
<thead><tr><th>Member</th><th>Role</th><th>Name</th><th>In the set</th><th>On this host</th></tr></thead>
<tbody>
<?php foreach ( $members as $member ): ?>
<tr>
<td><strong><?= e( $member['name'] ) ?></strong></td>
<td data-label="Role"><?= e( $member['role'] ) ?></td>
<td data-label="Name"><code><?= e( $member['full_name'] ) ?></code></td>
<td data-label="In the set"><code><?= e( $member['address'] ) ?></code></td>
<td data-label="On this host"><?php foreach ( $member['ports'] as $port ): ?>
<code><?= e( "{$member['published']}:{$port['published']}" ) ?></code>
<?php if ( $port['name'] === 'http' ): ?><a href="<?= e( url( $member, $port ) ) ?>/">http</a><?php else: ?><?= e( $port['name'] ) ?><?php endif ?><br>
<?php endforeach ?></td>
</tr>
<?php endforeach ?>
</tbody>
</table>

<?php if ( $dumps ): $place = url( $dumps, web( $dumps ) ); ?>
<h2>Dumps</h2>
<table>
<thead><tr><th>Database</th><th>Dumps</th></tr></thead>
<tbody>
<?php foreach ( $farm->databases as $db ): ?>
<?php if ( $farm->data['wikis'][$db]['private'] ) { continue; } $runs = runs( $db ); ?>
<tr>
<td><code><?= e( $db ) ?></code></td>
<td data-label="Dumps"><?php foreach ( $runs as $run ): ?>
<a href="<?= e( "$place/$db/$run/" ) ?>"><?= e( $run ) ?></a>
<?php endforeach ?><?= $runs ? '' : 'none yet' ?></td>
</tr>
<?php endforeach ?>
</tbody>
</table>

<?php endif ?>
<h2>Commands</h2>
<table>
<thead><tr><th>Type</th><th>to get</th></tr></thead>
<tbody>
<?php foreach ( $commands as $command => $gets ): ?>
<tr><td><code><?= e( $command ) ?></code></td><td><?= e( $gets ) ?></td></tr>
<?php endforeach ?>
</tbody>
</table>
</body>
</html>
