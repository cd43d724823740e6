# The DynamoDB engine that comes from npm, for the tests of the fleet. Included by the root Makefile.

.build/aws-engines: tests/aws/package.json tests/aws/package-lock.json
	cd tests/aws && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@mkdir -p $(@D) && touch $@

.PHONY: aws-engines
aws-engines: .build/aws-engines ## Install the DynamoDB engines that the tests run against.
