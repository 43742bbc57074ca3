<?php
// Settings that differ from wiki to wiki, as $wgConf wants them: setting => (database or "default" => value).
// Taken in by CommonSettings.php; $farm is the Farm of farm.php.

return [
	'wgServer' => [ 'default' => $farm->data['server'] ],
	'wgCanonicalServer' => [ 'default' => $farm->data['server'] ],
	'wgScriptPath' => $farm->setting( static fn ( $wiki ) => "/$wiki/mw" ),
	'wgArticlePath' => $farm->setting( static fn ( $wiki ) => "/$wiki/mw/index.php/\$1" ),
	'wgUploadPath' => $farm->setting( static fn ( $wiki ) => "/$wiki/images" ),
	'wgLanguageCode' => $farm->setting( static fn ( $wiki, $settings ) => $settings['lang'] ?? Farm::content( $wiki )['lang'] ?? 'en' ),
	'wgSitename' => $farm->setting( static fn ( $wiki, $settings ) => $settings['sitename'] ?? Farm::content( $wiki )['sitename'] ?? $wiki ),
];
