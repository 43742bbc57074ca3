<?php
// Fills the caches that the first visitor would otherwise fill: translations, the main page.

use MediaWiki\MediaWikiServices;

require_once getenv( 'MW_INSTALL_PATH' ) . '/maintenance/Maintenance.php';

class WarmWiki extends Maintenance {
	public function execute() {
		$services = MediaWikiServices::getInstance();
		$services->getLocalisationCache()->getItem( 'en', 'messages' );
		$services->getLocalisationCache()->getItem( $services->getContentLanguage()->getCode(), 'messages' );
		global $farm, $wgDBname;
		if ( !in_array( $farm->data['commons'], [ null, $wgDBname ], true ) ) {
			return; // pages may show files of a wiki that is being made just now
		}
		$title = Title::newMainPage();
		// A wiki without a main page shows the list of its pages, a special page, which is no page to be parsed.
		$page = $title->canExist() ? $services->getWikiPageFactory()->newFromTitle( $title ) : null;
		if ( $page && $page->exists() ) {
			$services->getParserOutputAccess()->getParserOutput( $page, ParserOptions::newFromAnon() );
			DeferredUpdates::doUpdates();
		}
	}
}

$maintClass = WarmWiki::class;
require_once RUN_MAINTENANCE_IF_MAIN;
