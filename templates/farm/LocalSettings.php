<?php
// Every MediaWiki of the farm is told to read this file (MW_CONFIG_FILE), instead of one in its own tree.
require_once __DIR__ . '/CommonSettings.php';
