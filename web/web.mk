# The page: built into the package, tested in three engines. Included by the root Makefile, paths are from there.

WEB_PAGE := src/ohlcache/http/static/index.html
WEB_MODULES := web/node_modules/.installed
WEB_SOURCES := $(shell find web/src web/public web/index.html web/vite.config.ts web/tsconfig.json -type f ! -name '*.test.ts' 2>/dev/null)
WEB_NODE := $(shell node -e 'const [a, b] = process.versions.node.split("."); console.log(a > 20 || (a == 20 && b >= 19) ? "ok" : "old")' 2>/dev/null)
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD := 1

$(WEB_MODULES): web/package-lock.json web/package.json web/.npmrc
	cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(WEB_PAGE): $(WEB_MODULES) $(WEB_SOURCES)
	cd web && npx --no-install vite build --logLevel warn
	@touch $@

.PHONY: web-build
web-build: $(WEB_PAGE) ## Build the page into the package (Node 20.19 or newer).

# For `make run`: the page where it can be built, else the server's placeholder; never a reason to stop.
.PHONY: web-if-possible
web-if-possible:
ifeq ($(WEB_NODE),ok)
	@$(MAKE) --no-print-directory web-build || echo "The page could not be built; the server shows a placeholder."
else
	@test -f $(WEB_PAGE) || echo "Node.js 20.19 or newer is not here; the server shows a placeholder page."
endif

.PHONY: web-test
web-test: $(WEB_PAGE) ## Test the page's logic; lint and type-check it.
	cd web && npx --no-install tsc --noEmit
	cd web && npx --no-install eslint . --max-warnings 0
	cd web && npx --no-install vitest run

.PHONY: web-browsers
web-browsers: ## Install the browsers that web-e2e drives (Debian or Ubuntu, needs root or sudo).
	web/scripts/install-browsers.sh

.PHONY: web-e2e
web-e2e: $(WEB_PAGE) ## Test the page in Chromium, Firefox and WebKit against a running server.
	cd web && npx --no-install playwright test
	cd web && ALONE=1 npx --no-install playwright test

.PHONY: web-baselines
web-baselines: $(WEB_PAGE) ## Take the page's reference pictures anew; look at them before committing.
	cd web && npx --no-install playwright test --update-snapshots=all --grep 'everything fits|grid of four|legend shows exactly|drawn differently|dark, with'
