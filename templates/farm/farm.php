<?php
/**
 * What the farm knows about its wikis. CommonSettings.php, the seeding worker and the page at / read it.
 *
 * podfarm writes two files beside this one: db_mapping.php (wiki directory => database) and farm.json:
 *
 *     {
 *       "set": "demo",
 *       "server": "http://demo-mw.demo.lan",          the farm's own address: for command lines, which have no browser to ask
 *       "commons": "commonswiki",                     database of the wiki whose files all others may use, or null
 *       "databases": {"primary": "demo-dbprimary", "replicas": ["demo-dbreplica1"],
 *                     "stores": ["demo-dbstore1"]},         servers that have the text of revisions
 *       "wikis": {                                    by database, every one that db_mapping.php has
 *         "elwikivoyage": {
 *           "source": "mediawiki",                    its code is /srv/mediawiki/<source>
 *           "lang": "el",                             null: the language its imported content says, or else English
 *           "sitename": null,                         null: the name its imported content says, or else its directory
 *           "private": false,                         only users who have logged in may read
 *           "pages": 500                              how many pages seeding makes up; only if there are such
 *         }
 *       },
 *       "description": "…", "members": […]            for the page at /: htdocs/index.php, and for dumps
 *     }
 *
 * What an import found out about a wiki (namespaces, content models, main page) is in /srv/cache/<wiki>/content.json,
 * which is part of the wiki's seed.
 */
final class Farm {
	public const CACHE = '/srv/cache';
	public const IMAGES = '/srv/images';
	private const SEEDED = 'seed';
	public const LOGS = '/var/log/mediawiki';

	/** @var array<string,string> directory => database */
	public array $databases;
	/** @var array the contents of farm.json */
	public array $data;

	public function __construct() {
		$this->databases = require __DIR__ . '/db_mapping.php';
		$this->data = self::json( __DIR__ . '/farm.json' );
	}

	public static function json( string $file ): array {
		return json_decode( file_get_contents( $file ), true, 16, JSON_THROW_ON_ERROR );
	}

	/** The directory of the wiki that is wanted, given as directory or as database; null if there is no such wiki. */
	public function find( ?string $name ): ?string {
		if ( isset( $this->databases[$name] ) ) {
			return $name;
		}
		return array_search( $name, $this->databases, true ) ?: null;
	}

	/** The name of the wiki this process or request is about. */
	public static function wanted(): ?string {
		if ( PHP_SAPI !== 'cli' ) {
			return explode( '/', $_SERVER['REQUEST_URI'] ?? '', 3 )[1] ?? null;
		}
		// MediaWiki splits --wiki=a-b into the constants MW_DB and MW_PREFIX; MW_WIKI_NAME is the whole of it.
		foreach ( [ 'MW_WIKI_NAME', 'MW_DB' ] as $name ) {
			if ( defined( $name ) || getenv( $name ) ) {
				return defined( $name ) ? constant( $name ) : getenv( $name );
			}
		}
		return null;
	}

	/** What the import of a wiki found out about it; empty if nothing was imported. */
	public static function content( string $wiki ): array {
		static $known = [];
		$file = self::CACHE . "/$wiki/content.json";
		return $known[$wiki] ??= is_file( $file ) ? self::json( $file ) : [];
	}

	/** Settings that give a wiki the namespaces of the export it was made from, by their numbers. */
	public static function namespaceSettings( array $content ): array {
		$settings = [];
		foreach ( $content['namespaces'] ?? [] as $id => [ 'name' => $name, 'case' => $case ] ) {
			$name = strtr( $name, ' ', '_' );
			if ( $id === NS_MAIN ) {
				$settings['wgCapitalLinks'] = $case !== 'case-sensitive';
			} elseif ( $id > NS_MAIN ) {
				$settings['wgCapitalLinkOverrides'][$id] = $case !== 'case-sensitive';
			}
			if ( $id === NS_PROJECT ) {
				$settings['wgMetaNamespace'] = $name;
			} elseif ( $id === NS_PROJECT_TALK ) {
				$settings['wgMetaNamespaceTalk'] = $name;
			} elseif ( $id > NS_CATEGORY_TALK ) {
				$settings['wgExtraNamespaces'][$id] = $name;
			} elseif ( $id !== NS_MAIN ) {
				// Another language's wiki calls these otherwise; links in the imported text use the export's names.
				$settings['wgNamespaceAliases'][$name] = $id;
			}
		}
		return $settings;
	}

	/**
	 * The servers that have the text of revisions, by the names that addresses of text have for them. All begin with what
	 * seeding stored, under a name of its own: any of them has it.
	 *
	 * @return array<string,string>
	 */
	public function stores(): array {
		$stores = $this->data['databases']['stores'];
		return $stores ? [ self::SEEDED => $stores[0] ] + array_combine( $stores, $stores ) : [];
	}

	/** Those of them that take new text. */
	public function clusters( bool $seeding ): array {
		return $seeding ? [ self::SEEDED ] : $this->data['databases']['stores'];
	}

	/** A settings array for $wgConf: the value for each database. */
	public function setting( callable $value ): array {
		$values = [];
		foreach ( $this->databases as $wiki => $db ) {
			$values[$db] = $value( $wiki, $this->data['wikis'][$db] );
		}
		return $values;
	}

	/** End this request or command: no wiki has that name. */
	public function refuse( ?string $name ): never {
		if ( PHP_SAPI === 'cli' ) {
			$problem = $name === null ? 'Which wiki? Say --wiki=NAME.' : "There is no wiki \"$name\" in this farm.";
			fwrite( STDERR, $problem . ' There are: ' . implode( ', ', array_keys( $this->databases ) ) . "\n" );
			exit( 1 );
		}
		http_response_code( 404 );
		$this->listWikis( 'There is no such wiki in this farm.' );
		exit;
	}

	/** A page with the farm's public wikis. */
	public function listWikis( string $remark ): void {
		header( 'Content-Type: text/html; charset=utf-8' );
		$set = htmlspecialchars( $this->data['set'] );
		echo "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>$set</title>\n<h1>$set</h1>\n<p>$remark</p>\n<ul>\n";
		foreach ( $this->databases as $wiki => $db ) {
			$settings = $this->data['wikis'][$db];
			if ( !$settings['private'] ) {
				$name = htmlspecialchars( $settings['sitename'] ?? self::content( $wiki )['sitename'] ?? $wiki );
				echo "<li><a href=\"/$wiki/mw/\">$name</a> ($wiki)</li>\n";
			}
		}
		echo "</ul>\n</html>\n";
	}
}
