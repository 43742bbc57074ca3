<?php
require_once dirname( __DIR__ ) . '/farm.php';
( new Farm )->listWikis( 'The wikis of this farm:' );
