<?php
/**
 * dumpTextPass.php, which ends at the first text that cannot be had. MediaWiki's own leaves out up to 200 in a row, and
 * says so in its log alone: nobody would notice that the dump lacks them.
 */
require_once getenv( 'MW_INSTALL_PATH' ) . '/maintenance/includes/TextPassDumper.php';

class StrictTextPass extends TextPassDumper {
	/** @inheritDoc */
	protected $maxConsecutiveFailedTextRetrievals = 0;
	/** @inheritDoc */
	protected $failureTimeout = 1;
}

$maintClass = StrictTextPass::class;
require_once RUN_MAINTENANCE_IF_MAIN;
