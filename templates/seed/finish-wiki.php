<?php
// What concerns all pages together, once their links are there: categories' sizes, site statistics, recent changes,
// edit counts, the main page; and no job of the import is left over.

use MediaWiki\MediaWikiServices;

require_once getenv( 'MW_INSTALL_PATH' ) . '/maintenance/Maintenance.php';

class FinishWiki extends Maintenance {
	public function __construct() {
		parent::__construct();
		$this->addOption( 'main', 'the main page of the wiki where the content comes from', false, true );
	}

	public function execute() {
		$dbw = MediaWikiServices::getInstance()->getDBLoadBalancer()->getConnection( DB_PRIMARY );
		foreach ( $dbw->selectFieldValues( 'category', 'cat_title', '', __METHOD__ ) as $name ) {
			Category::newFromName( $name )->refreshCounts();
		}
		SiteStatsInit::doAllAndCommit( $dbw, [ 'activeUsers' => true ] );
		$newest = $dbw->selectField( 'revision', 'MAX(rev_timestamp)', '', __METHOD__ );
		if ( $newest && wfTimestamp( TS_UNIX, $newest ) > time() - 90 * 86400 ) {
			$this->runChild( RebuildRecentchanges::class )->execute();
		}
		$dbw->query(
			'UPDATE user SET user_editcount = (SELECT COUNT(*) FROM revision JOIN actor ON actor_id = rev_actor WHERE actor_user = user_id)',
			__METHOD__ );
		$dbw->delete( 'job', '*', __METHOD__ );
		$this->mainPage( Title::newFromText( $this->getOption( 'main', '' ) ) );
	}

	/** Says on standard output what the main page should be, if it is not what MediaWiki would take anyway. */
	private function mainPage( ?Title $wanted ): void {
		if ( $wanted && $wanted->exists() ) {
			$this->output( "mainpage {$wanted->getPrefixedText()}\n" );
		} elseif ( !Title::newMainPage()->exists() ) {
			$this->output( "mainpage Special:AllPages\n" );
		}
	}
}

$maintClass = FinishWiki::class;
require_once RUN_MAINTENANCE_IF_MAIN;
