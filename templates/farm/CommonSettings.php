<?php
// Settings that all wikis of the farm share. Those that differ from wiki to wiki are in InitialiseSettings.php.

if ( !defined( 'MEDIAWIKI' ) ) {
	exit( 1 );
}

require_once __DIR__ . '/class-names.php';
require_once __DIR__ . '/farm.php';
$farm = new Farm;
$farmWiki = $farm->find( Farm::wanted() ) ?? $farm->refuse( Farm::wanted() );
$farmSeeding = (bool)getenv( 'PODFARM_SEED' );

# The wiki and its own settings

$wgDBname = $farm->databases[$farmWiki];
$wgConf = new SiteConfiguration;
$wgConf->wikis = array_values( $farm->databases );
$wgConf->suffixes = $wgConf->wikis;
$wgLocalDatabases = $wgConf->wikis;
$wgConf->settings = require __DIR__ . '/InitialiseSettings.php';
extract( $wgConf->getAll( $wgDBname ) );
extract( Farm::namespaceSettings( Farm::content( $farmWiki ) ) );

# Addresses. A browser may come by host name, by 127.77.x.y or through a tunnel: use what it used.

$wgArticlePath = "$wgScriptPath/index.php/\$1";
$wgUsePathInfo = true;
if ( PHP_SAPI !== 'cli' ) {
	$wgServer = $wgCanonicalServer = WebRequest::detectServer( true );
}
$wgResourceBasePath = $wgScriptPath;
$wgFavicon = false;
$wgLogos = [ '1x' => "$wgScriptPath/resources/assets/mediawiki.png" ];

# Databases

$wgDBtype = 'mysql';
$wgDBTableOptions = 'ENGINE=InnoDB, DEFAULT CHARSET=binary';
$wgDBprefix = '';
$wgDBuser = $farmSeeding ? 'root' : 'wikiuser';
$wgDBpassword = $farmSeeding ? '' : trim( file_get_contents( '/run/secrets/db-wiki' ) );
$wgSecretKey = hash_hmac( 'sha256', $farm->data['set'], $wgDBpassword );
$wgAuthenticationTokenVersion = '1';
$wgLBFactoryConf = ( static function ( Farm $farm, bool $seeding, string $user, string $password ): array {
	$primary = $farm->data['databases']['primary'];
	$replicas = $farm->data['databases']['replicas'];
	$loads = [ $primary => $replicas ? 0 : 1 ] + array_fill_keys( $replicas, 1 );
	$hosts = [ ...array_keys( $loads ), ...$farm->data['databases']['stores'] ];
	$addresses = $seeding ? array_map( static fn ( $host ) => "localhost:/run/mysqld/$host/mysqld.sock", $hosts ) : $hosts;
	return [
		'class' => 'Wikimedia\Rdbms\LBFactoryMulti',
		'sectionsByDB' => [],
		'sectionLoads' => [ 'DEFAULT' => $loads ],
		'groupLoadsBySection' => [ 'DEFAULT' => $replicas ? [ 'dump' => array_fill_keys( $replicas, 1 ) ] : [] ],
		'hostsByName' => array_combine( $hosts, $addresses ),
		'externalLoads' => array_map( static fn ( $store ) => [ $store => 1 ], $farm->stores() ),
		'serverTemplate' => [
			'type' => 'mysql',
			'user' => $user,
			'password' => $password,
			'flags' => DBO_DEFAULT,
			'sqlMode' => '', // not strict: 1.39's search index has titles that are too long for it
			'max lag' => 10,
		],
	];
} )( $farm, $farmSeeding, $wgDBuser, $wgDBpassword );

# The text of revisions, if it is kept elsewhere. What seeding stored is everywhere; what is new goes to one or another.

if ( $farm->stores() ) {
	$wgExternalStores = [ 'DB' ];
	$wgDefaultExternalStore = array_map( static fn ( $cluster ) => "DB://$cluster", $farm->clusters( $farmSeeding ) );
}

# Caches. In the database, so that command lines and every php-fpm see the same, and so that a seed holds a warm one;
# MediaWiki uses APCu by itself for what may differ between hosts. A dump asks for each text once, and would ask such a
# cache as well, which never has it: MediaWiki keeps no text of the database in the database.

$wgObjectCaches['process'] = [ 'class' => HashBagOStuff::class, 'reportDupes' => false, 'maxKeys' => 20000 ];
$farmCache = getenv( 'PODFARM_DUMP' ) ? CACHE_NONE : CACHE_DB;
$wgMainCacheType = $wgParserCacheType = $wgMessageCacheType = $wgSessionCacheType = getenv( 'PODFARM_SEED' ) === '1' ? 'process' : $farmCache;
if ( !$farmSeeding && $farm->data['databases']['replicas'] ) {
	// By a connection of its own: how far replicas lag is kept in the cache, and must not be asked for to get at the cache.
	$wgObjectCaches[CACHE_DB]['server'] = [
		'type' => 'mysql', 'host' => $farm->data['databases']['primary'], 'dbname' => $wgDBname, 'user' => $wgDBuser,
		'password' => $wgDBpassword,
	];
}
$wgCacheDirectory = Farm::CACHE . "/$farmWiki";
$wgLocalisationCacheConf = [
	'class' => LocalisationCache::class,
	'store' => 'array',
	'storeClass' => false,
	'storeDirectory' => Farm::CACHE . '/l10n-' . $farm->data['wikis'][$wgDBname]['source'],
	'storeServer' => [],
	'forceRecache' => false,
	'manualRecache' => false, // an edited message shows
];
$wgInvalidateCacheOnLocalSettingsChange = false;
$wgUseFileCache = false;
// Browsers ask each time: after a reset, what they have seen before it must be gone, however new it looked.
$wgCachePages = false;
$wgResourceLoaderMaxage = [ 'versioned' => 30 * 86400, 'unversioned' => 0 ];
$wgJobRunRate = 10; // links and categories are right at the next look
$wgGitInfoCacheDirectory = false;

# Files

if ( PHP_SAPI === 'cli' && function_exists( 'posix_geteuid' ) && posix_geteuid() === 0 ) {
	umask( 0 ); // folders that root's command line makes, the web server's user can write in
}
$wgEnableUploads = true;
$wgUploadDirectory = Farm::IMAGES . "/$farmWiki";
$wgDeletedDirectory = "$wgUploadDirectory/deleted";
$wgFileExtensions = [ 'png', 'gif', 'jpg', 'jpeg', 'webp', 'svg', 'pdf', 'txt' ];
$wgUseImageMagick = !extension_loaded( 'gd' );
$wgSVGConverter = is_executable( '/usr/bin/rsvg-convert' ) ? 'rsvg' : false;
$wgSVGNativeRendering = !$wgSVGConverter;
$wgUseInstantCommons = false;
if ( !$farmSeeding && !in_array( $farm->data['commons'], [ null, $wgDBname ], true ) ) {
	$farmCommons = $farm->find( $farm->data['commons'] );
	$wgForeignFileRepos[] = [
		'class' => ForeignDBViaLBRepo::class,
		'name' => 'commons',
		'wiki' => $farm->data['commons'],
		'directory' => Farm::IMAGES . "/$farmCommons",
		'url' => "/$farmCommons/images",
		'hashLevels' => 2,
		'hasSharedCache' => false,
		'descBaseUrl' => "$wgServer/$farmCommons/mw/index.php/File:", // whole: it becomes a link in wikitext
		'fetchDescription' => false, // that would be a request from php-fpm to the web server, which is not open
	];
}

# People: anyone may read and edit, unless the wiki is private.

$wgEnableEmail = false;
$wgRateLimits = [];
$wgPasswordPolicy['policies']['default'] = [ 'MinimalPasswordLength' => 1 ];
if ( $farm->data['wikis'][$wgDBname]['private'] ) {
	$wgGroupPermissions['*'] = [ 'read' => false, 'edit' => false, 'createaccount' => false ] + $wgGroupPermissions['*'];
	$wgUploadPath = "$wgScriptPath/img_auth.php"; // the web server does not serve a private wiki's images itself
	$wgImgAuthDetails = true;
}

# What goes wrong is told, on the page and in the logs

$wgShowExceptionDetails = true;
$wgShowHostnames = true;
foreach ( [
	'exception' => 'debug', 'error' => 'debug', 'fatal' => 'debug', 'slow-parse' => 'debug', 'import' => 'debug',
	'authentication' => 'info', 'runJobs' => 'info', 'thumbnail' => 'info', 'DBConnection' => 'warning', 'DBQuery' => 'warning',
	'DBReplication' => 'warning', 'FileOperation' => 'warning', 'objectcache' => 'warning', 'session' => 'warning',
] as $farmChannel => $farmLevel ) {
	$wgDebugLogGroups[$farmChannel] = [ 'destination' => Farm::LOGS . "/$farmChannel.log", 'level' => $farmLevel ];
}
$wgDBerrorLog = Farm::LOGS . '/dberror.log';
// Everything, for those who ask: it is a lot. In the set's log folder: touch debug.
if ( is_file( Farm::LOGS . '/debug' ) ) {
	$wgDebugLogFile = Farm::LOGS . "/debug-$farmWiki.log";
}

# Skins and extensions: those of this list that the wiki's MediaWiki brings along

foreach ( [ 'Vector', 'MonoBook', 'Timeless', 'MinervaNeue' ] as $farmPart ) {
	if ( is_file( "$IP/skins/$farmPart/skin.json" ) ) {
		wfLoadSkin( $farmPart );
	}
}
$wgDefaultSkin = 'vector';
foreach ( [
	'CategoryTree', 'Cite', 'Gadgets', 'ImageMap', 'InputBox', 'Interwiki', 'PageImages', 'ParserFunctions', 'Poem', 'Scribunto',
	'TemplateData', 'WikiEditor',
] as $farmPart ) {
	if ( $farmPart === 'Scribunto' && !extension_loaded( 'luasandbox' ) && !is_executable( '/usr/bin/lua5.1' ) ) {
		continue;
	}
	if ( is_file( "$IP/extensions/$farmPart/extension.json" ) ) {
		wfLoadExtension( $farmPart );
	}
}
$wgPFEnableStringFunctions = true;
$wgScribuntoDefaultEngine = extension_loaded( 'luasandbox' ) ? 'luasandbox' : 'luastandalone';
$wgScribuntoEngineConf['luastandalone']['luaPath'] = '/usr/bin/lua5.1';

# Content

if ( isset( Farm::content( $farmWiki )['mainpage'] ) ) {
	// Used unless the wiki has a page MediaWiki:Mainpage.
	$wgHooks['MessagesPreLoad'][] = static function ( $title, &$message ) use ( $farmWiki ) {
		if ( $title === 'Mainpage' ) {
			$message = Farm::content( $farmWiki )['mainpage'];
		}
	};
}

# Content of extensions that are not here is kept as it is, and shown as something unknown, not as an error.

$wgHooks['ContentHandlerForModelID'][] = static function ( $model, &$handler ) use ( $farmWiki ) {
	$formats = Farm::content( $farmWiki )['models'][$model] ?? [];
	$handler = new FallbackContentHandler( $model, array_values( array_unique( [ ...$formats, 'application/octet-stream', 'text/plain' ] ) ) );
};
