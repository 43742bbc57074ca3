<?php
// Wiki directory (the first part of a url's path) => database. podfarm writes this file from the set file.
return [
{%- for wiki in wikis %}
	'{{ wiki.name }}' => '{{ wiki.db }}',
{%- endfor %}
];
