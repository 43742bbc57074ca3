<?php
/**
 * Reads a MediaWiki XML export from standard input into the wiki.
 *
 * MediaWiki's own importDump.php gives pages and revisions new ids, marks every user as imported from elsewhere, and stops
 * at the first page it cannot take. Whoever tests dumps wants to find in them what was put in, so this one keeps the ids
 * and the names, and goes on after a bad page. It leaves out links and search: index-pages.php does those.
 *
 * On standard output: one line "pages N" from time to time, and a line "note …" for each page that was left out.
 */

use MediaWiki\MediaWikiServices;
use MediaWiki\Revision\MutableRevisionRecord;
use MediaWiki\Revision\RevisionRecord;
use MediaWiki\Revision\SlotRecord;
use MediaWiki\User\UserIdentityValue;

require_once getenv( 'MW_INSTALL_PATH' ) . '/maintenance/Maintenance.php';

class ImportPages extends Maintenance {
	private const REVISIONS_PER_TRANSACTION = 500;

	/** @var array<int,string> the export's own names of its namespaces */
	private array $namespaces = [];
	/** @var array<string,UserIdentityValue> */
	private array $users = [];
	private int $pages = 0;
	private int $skipped = 0;
	/** Why the last page was left out. */
	private string $reason = '';
	/** Revisions that are not committed yet. */
	private int $pending = 0;
	private $dbw;

	public function execute() {
		$this->dbw = MediaWikiServices::getInstance()->getDBLoadBalancer()->getConnection( DB_PRIMARY );
		$xml = new XMLReader;
		$xml->open( 'php://stdin', null, LIBXML_PARSEHUGE | LIBXML_NONET );
		$this->beginTransaction( $this->dbw, __METHOD__ );
		while ( $xml->read() ) {
			if ( $xml->nodeType !== XMLReader::ELEMENT ) {
				continue;
			}
			if ( $xml->name === 'namespace' ) {
				$this->namespaces[(int)$xml->getAttribute( 'key' )] = $xml->readString();
			} elseif ( $xml->name === 'page' ) {
				$this->page( $xml );
			}
		}
		$this->commitTransaction( $this->dbw, __METHOD__ );
		$this->output( "pages $this->pages\n" );
		$this->output( "skipped $this->skipped\n" );
		if ( $this->skipped === $this->pages ) {
			$this->output( "error: none of $this->pages pages could be imported, the last because of: $this->reason\n" );
			exit( 1 );
		}
	}

	/** One <page>, from its start to its end, as a unit: it is there whole, or not at all. */
	private function page( XMLReader $xml ): void {
		$page = [ 'title' => '', 'ns' => '0', 'id' => '0' ];
		$depth = $xml->depth;
		$target = null;
		$problem = null;
		$latest = null;
		$this->dbw->startAtomic( __METHOD__, $this->dbw::ATOMIC_CANCELABLE );
		while ( $xml->read() && $xml->depth > $depth ) {
			if ( $xml->nodeType !== XMLReader::ELEMENT || $xml->depth !== $depth + 1 || $problem !== null ) {
				continue;
			}
			try {
				if ( isset( $page[$xml->name] ) ) {
					$page[$xml->name] = $xml->readString();
				} elseif ( $xml->name === 'revision' ) {
					$target ??= $this->pageRow( $page );
					$revision = $this->revision( $xml, $target );
					$latest = self::newer( $revision, $latest );
				}
			} catch ( Throwable $e ) {
				$problem = $e;
			}
		}
		try {
			if ( $problem === null && $latest && self::newer( $latest, $target->getRevisionRecord() ) === $latest ) {
				// 0 says that this is the page's only revision.
				$target->updateRevisionOn( $this->dbw, $latest, $latest->getParentId() ? null : 0 );
			}
		} catch ( Throwable $e ) {
			$problem = $e;
		}
		if ( $problem === null && $target !== null ) {
			$this->dbw->endAtomic( __METHOD__ );
		} else {
			$this->dbw->cancelAtomic( __METHOD__ );
			$this->users = [];
			$this->skipped++;
			$this->reason = $problem ? strtok( $problem->getMessage(), "\n" ) : 'it has no revision';
			$this->output( "note page \"{$page['title']}\" is left out: $this->reason\n" );
		}
		$this->pages++;
		if ( $this->pending >= self::REVISIONS_PER_TRANSACTION ) {
			$this->commitTransaction( $this->dbw, __METHOD__ );
			MediaWikiServices::getInstance()->getLinkCache()->clear();
			$this->beginTransaction( $this->dbw, __METHOD__ );
			$this->pending = 0;
		}
		if ( $this->pages % 20 === 0 ) {
			$this->output( "pages $this->pages\n" );
		}
	}

	private static function newer( ?RevisionRecord $a, ?RevisionRecord $b ): ?RevisionRecord {
		if ( !$a || !$b ) {
			return $a ?? $b;
		}
		return [ $a->getTimestamp(), $a->getId() ] >= [ $b->getTimestamp(), $b->getId() ] ? $a : $b;
	}

	/** The wiki's page for this <page>; a page of that title which is there already gets the revisions it lacks. */
	private function pageRow( array $page ): WikiPage {
		$ns = (int)$page['ns'];
		$prefix = $this->namespaces[$ns] ?? '';
		$title = $prefix !== '' && str_starts_with( $page['title'], "$prefix:" )
			? Title::makeTitleSafe( $ns, substr( $page['title'], strlen( $prefix ) + 1 ) )
			: Title::newFromText( $page['title'] );
		if ( !$title || $title->isExternal() || !$title->canExist() || $title->getNamespace() !== $ns ) {
			throw new RuntimeException( 'this wiki cannot have a page of that title' );
		}
		$wikiPage = MediaWikiServices::getInstance()->getWikiPageFactory()->newFromTitle( $title );
		if ( $wikiPage->insertOn( $this->dbw, (int)$page['id'] ?: null ) ) {
			return $wikiPage;
		}
		$there = $this->dbw->selectField(
			'page', 'page_id', [ 'page_namespace' => $ns, 'page_title' => $title->getDBkey() ], __METHOD__ );
		if ( !$there && !$wikiPage->insertOn( $this->dbw ) ) {
			throw new RuntimeException( 'it cannot be inserted' );
		}
		$wikiPage->clear();
		$title->resetArticleID( $there ?: $wikiPage->getId() );
		$wikiPage->loadPageData( WikiPage::READ_LATEST );
		return $wikiPage;
	}

	/** One <revision> into the database; null if it is there already. */
	private function revision( XMLReader $xml, WikiPage $page ): ?RevisionRecord {
		$this->pending++;
		$node = simplexml_import_dom( $xml->expand( new DOMDocument ) );
		$id = (int)$node->id;
		if ( $id && $this->dbw->selectField( 'revision', 'rev_id', [ 'rev_id' => $id ], __METHOD__ ) ) {
			return null;
		}
		$deleted = static fn ( $element ) => isset( $element['deleted'] );
		$revision = new MutableRevisionRecord( $page->getTitle()->toPageIdentity() );
		$revision->setPageId( $page->getId() );
		if ( $id ) {
			$revision->setId( $id );
		}
		$revision->setParentId( (int)$node->parentid );
		$timestamp = wfTimestamp( TS_MW, (string)$node->timestamp );
		if ( !$timestamp ) {
			throw new RuntimeException( "revision $id has no timestamp" );
		}
		$revision->setTimestamp( $timestamp );
		$revision->setMinorEdit( isset( $node->minor ) );
		$revision->setUser( $this->user( $node->contributor ) );
		$revision->setComment( CommentStoreComment::newUnsavedComment( (string)$node->comment ) );
		$revision->setVisibility(
			( $deleted( $node->text ) ? RevisionRecord::DELETED_TEXT : 0 )
			| ( $deleted( $node->comment ) ? RevisionRecord::DELETED_COMMENT : 0 )
			| ( $deleted( $node->contributor ) ? RevisionRecord::DELETED_USER : 0 )
		);
		$revision->setSlot( $this->slot( SlotRecord::MAIN, $node ) );
		foreach ( $node->content as $content ) {
			$revision->setSlot( $this->slot( (string)$content->role, $content ) );
		}
		return MediaWikiServices::getInstance()->getRevisionStore()->insertRevisionOn( $revision, $this->dbw );
	}

	private function slot( string $role, SimpleXMLElement $node ): SlotRecord {
		$model = (string)$node->model ?: CONTENT_MODEL_WIKITEXT;
		$handler = MediaWikiServices::getInstance()->getContentHandlerFactory()->getContentHandler( $model );
		$text = (string)$node->text;
		$format = (string)$node->format;
		return SlotRecord::newUnsaved(
			$role, $handler->unserializeContent( $text, $handler->isSupportedFormat( $format ) ? $format : null ) );
	}

	/** The contributor, with the id that the export says. Nobody can log in as one of them: they have no password. */
	private function user( SimpleXMLElement $contributor ): UserIdentityValue {
		$name = (string)$contributor->username;
		$id = (int)$contributor->id;
		if ( $name === '' ) {
			return UserIdentityValue::newAnonymous( (string)$contributor->ip ?: 'Unknown user' );
		}
		if ( !MediaWikiServices::getInstance()->getUserNameUtils()->isUsable( $name ) ) {
			// Names of long ago, and users of other wikis: those have a ">" in their name, and need no account.
			return UserIdentityValue::newAnonymous( str_contains( $name, '>' ) ? $name : "imported>$name" );
		}
		return $this->users[$name] ??= $this->account( $id, $name );
	}

	private function account( int $id, string $name ): UserIdentityValue {
		$there = $this->dbw->selectField( 'user', 'user_id', [ 'user_name' => $name ], __METHOD__ );
		if ( $there ) {
			return new UserIdentityValue( (int)$there, $name );
		}
		$taken = $id <= 0 || $this->dbw->selectField( 'user', 'user_id', [ 'user_id' => $id ], __METHOD__ );
		$this->dbw->insert( 'user', [
			'user_id' => $taken ? null : $id,
			'user_name' => $name,
			'user_password' => '',
			'user_newpassword' => '',
			'user_email' => '',
			'user_touched' => $this->dbw->timestamp( '20010101000000' ),
			'user_token' => '',
			'user_registration' => null,
			'user_editcount' => 0,
		], __METHOD__ );
		$id = $this->dbw->insertId() ?: $id;
		$this->dbw->insert( 'actor', [ 'actor_user' => $id, 'actor_name' => $name ], __METHOD__, [ 'IGNORE' ] );
		return new UserIdentityValue( $id, $name );
	}
}

$maintClass = ImportPages::class;
require_once RUN_MAINTENANCE_IF_MAIN;
