<?php
/**
 * What the API answers to --query, without a web server and without a user: for private wikis, which tell nobody who has
 * not logged in.
 */
require_once getenv( 'MW_INSTALL_PATH' ) . '/maintenance/Maintenance.php';

class SiteInfo extends Maintenance {
	public function __construct() {
		parent::__construct();
		$this->addOption( 'query', 'parameters as in a url', true, true );
	}

	public function finalSetup( ...$arguments ) {
		parent::finalSetup( ...$arguments );
		$GLOBALS['wgGroupPermissions']['*']['read'] = true;
	}

	public function execute() {
		parse_str( $this->getOption( 'query' ), $parameters );
		$first = ( $parameters['formatversion'] ?? '1' ) === '1' ? [ 'BC' => [] ] : [];
		// Nothing that the API itself knows: it belongs to who formats what it answers, as is done here.
		unset( $parameters['formatversion'] );
		$api = new ApiMain( new FauxRequest( $parameters ) );
		$api->execute();
		$data = $api->getResult()->getResultData( null, $first + [ 'Types' => [ 'AssocAsObject' => true ], 'Strip' => 'all' ] );
		$this->output( json_encode( $data, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES ) );
	}
}

$maintClass = SiteInfo::class;
require_once RUN_MAINTENANCE_IF_MAIN;
