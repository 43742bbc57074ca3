<?php
// Loads the code that a seed has compiled into memory, which all workers share. A file that has changed since is compiled.
$cache = '/srv/code';
$files = new RecursiveIteratorIterator( new RecursiveDirectoryIterator( $cache, FilesystemIterator::SKIP_DOTS ) );
foreach ( $files as $file ) {
	// PHP keeps /srv/x.php as CACHE/ITS-OWN-VERSION/srv/x.php.bin.
	if ( preg_match( "!^$cache/\w+(/srv/.+\.php)\.bin$!", $file->getPathname(), $found ) && is_file( $found[1] ) ) {
		opcache_compile_file( $found[1] );
	}
}
