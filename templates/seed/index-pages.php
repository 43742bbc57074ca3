<?php
/**
 * Links, categories and search text of every page whose id leaves the remainder --part when divided by --parts, so that
 * several of these share a wiki. On standard output: one line "pages N" from time to time, and a line "note …"
 * for each page that could not be read.
 */

use MediaWiki\MediaWikiServices;
use MediaWiki\Revision\SlotRecord;

require_once getenv( 'MW_INSTALL_PATH' ) . '/maintenance/Maintenance.php';

class IndexPages extends Maintenance {
	public function __construct() {
		parent::__construct();
		$this->addOption( 'part', 'remainder of the page id', true, true );
		$this->addOption( 'parts', 'number of processes', true, true );
		$this->addOption( 'search-only', 'leave the links as they are' );
	}

	public function execute() {
		$services = MediaWikiServices::getInstance();
		$dbw = $services->getDBLoadBalancer()->getConnection( DB_PRIMARY );
		$ids = $dbw->selectFieldValues(
			'page', 'page_id',
			'page_id % ' . (int)$this->getOption( 'parts' ) . ' = ' . (int)$this->getOption( 'part' ),
			__METHOD__, [ 'ORDER BY' => 'page_id' ] );
		gc_disable(); // looking for garbage all the time costs a seventh of it all; between pages is often enough
		$failed = 0;
		foreach ( $ids as $done => $id ) {
			$page = $services->getWikiPageFactory()->newFromID( $id );
			try {
				$this->page( $page );
			} catch ( Throwable $e ) {
				$failed++;
				$reason = strtok( $e->getMessage(), "\n" );
				$this->output( "note page \"{$page->getTitle()->getPrefixedText()}\" is not indexed: $reason\n" );
				$services->getDBLoadBalancerFactory()->rollbackPrimaryChanges( __METHOD__ );
			}
			if ( $done % 20 === 0 ) {
				$services->getLinkCache()->clear();
				gc_collect_cycles();
				$this->output( "pages $done\n" );
			}
		}
		$this->output( 'pages ' . count( $ids ) . "\n" );
		if ( $failed > max( 10, count( $ids ) / 2 ) ) {
			// That is not the pages' fault.
			$this->output( "error: $failed of " . count( $ids ) . " pages cannot be indexed, the last because of: $reason\n" );
			exit( 1 );
		}
	}

	private function page( WikiPage $page ): void {
		if ( !$this->hasOption( 'search-only' ) ) {
			$page->doSecondaryDataUpdates( [ 'defer' => DeferredUpdates::POSTSEND, 'recursive' => false ] );
			DeferredUpdates::doUpdates();
		}
		$content = $page->getContent();
		if ( $content ) {
			( new SearchUpdate( $page->getId(), $page->getTitle(), $content ) )->doUpdate();
		}
	}
}

$maintClass = IndexPages::class;
require_once RUN_MAINTENANCE_IF_MAIN;
