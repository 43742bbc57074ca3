<?php
// What concerns all pages together, once their links are there: categories' sizes, site statistics, recent changes,
// edit counts; and no job of the import is left over.

use MediaWiki\MediaWikiServices;

require_once getenv( 'MW_INSTALL_PATH' ) . '/maintenance/Maintenance.php';

class FinishWiki extends Maintenance {
	public function execute() {
		$dbw = MediaWikiServices::getInstance()->getDBLoadBalancer()->getConnection( DB_PRIMARY );
		foreach ( $dbw->selectFieldValues( 'categorylinks', 'DISTINCT cl_to', '', __METHOD__ ) as $name ) {
			Category::newFromName( $name )->refreshCounts();
		}
		SiteStatsInit::doAllAndCommit( $dbw, [ 'activeUsers' => true ] );
		$newest = $dbw->selectField( 'revision', 'MAX(rev_timestamp)', '', __METHOD__ );
		if ( $newest && wfTimestamp( TS_UNIX, $newest ) > time() - 90 * 86400 ) {
			$this->runChild( RebuildRecentchanges::class, __DIR__ . '/none' )->execute();
		}
		$dbw->query(
			'UPDATE user SET user_editcount = (SELECT COUNT(*) FROM revision JOIN actor ON actor_id = rev_actor WHERE actor_user = user_id)',
			__METHOD__ );
		$dbw->delete( 'job', '*', __METHOD__ );
	}
}

$maintClass = FinishWiki::class;
require_once RUN_MAINTENANCE_IF_MAIN;
