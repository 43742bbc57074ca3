<?php
/**
 * Classes are called here by the names they had in MediaWiki 1.39. Later versions moved them into namespaces, and still
 * later ones no longer answer to the old names: then this does.
 */
spl_autoload_register( static function ( string $class ): void {
	foreach ( [
		'MediaWiki\Category', 'MediaWiki\CommentStore', 'MediaWiki\Config', 'MediaWiki\Content', 'MediaWiki\Deferred',
		'MediaWiki\FileRepo', 'MediaWiki\Language', 'MediaWiki\Page', 'MediaWiki\Parser', 'MediaWiki\SiteStats',
		'MediaWiki\Request', 'MediaWiki\Title', 'Wikimedia\ObjectCache',
	] as $namespace ) {
		if ( !str_contains( $class, '\\' ) && class_exists( "$namespace\\$class" ) ) {
			class_alias( "$namespace\\$class", $class );
			return;
		}
	}
} );
