# Every way to set up, run and check the assistant.  `make` alone lists them.
#
# The work is in tools/setup.py, which any Python from 3.8 on can run; it makes .venv-rasa and .venv from requirements/,
# and builds the citizens' client (connectors/miniprogram) and the staff's (connectors/console_web) with Node.js.
# ARGS passes arguments on (make test ARGS="-k ticket", ARGS="-n0 -s" for one process that shows what tests print), YIHAODA_PIP_ARGS an index or a proxy to pip.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ANY_PYTHON := $(shell for p in python3 python3.11 python3.10 python python3.12 python3.13 \
	"$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.1*/bin/python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 8))' >/dev/null 2>&1 && echo "$$p" && break; done)
INSTALL = $(if $(ANY_PYTHON),"$(ANY_PYTHON)" -m tools.setup install,@echo '没有找到 Python。请先安装 Python 3.10 和 3.11。' >&2; false)
PY := .venv/bin/python
RASA_SOURCES = $(wildcard bot/rasa/*.py)

.PHONY: help run setup miniprogram test test-setup test-full lint format lock clean

help: ## 列出所有命令
	@echo '一号答：可用的命令'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

run: ## 安装所需软件并启动全部服务（Ctrl-C 停止）
	@$(INSTALL) rasa app h5 console --keep-page && exec $(PY) -m connectors.terminal.cli run $(ARGS)

setup: ## 只安装，不启动
	@$(INSTALL) rasa app h5 console

miniprogram: ## 编译小程序，供微信开发者工具导入
	@$(INSTALL) app mp-weixin

test-setup: ## 安装测试和检查所需的一切
	@$(INSTALL) rasa app dev h5 console

test: test-setup ## 运行测试（不含长时间的压力和模拟）
	@$(PY) -m pytest -n 2 $(ARGS)

test-full: test-setup ## 运行全部测试，含压力、模拟和大数据量
	@# Two runs: what holds waiting times to a bound has the machine to itself. 5: ARGS picks nothing of this run.
	@failed=0; \
	$(PY) -m pytest -n 2 -m '(full or not full) and not alone' $(ARGS) || [ $$? -eq 5 ] || failed=1; \
	$(PY) -m pytest -m alone $(ARGS) || [ $$? -eq 5 ] || failed=1; \
	exit $$failed

lint: ## 检查代码：格式、规范、类型（含两个网页和网关接口是否对得上）、分层
	@$(INSTALL) app dev check
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m mypy -m tools.setup
	@# Rasa lives in the other environment: here its classes are unknown, and ours may still inherit from them.
	@$(if $(RASA_SOURCES),$(PY) -m mypy --python-version 3.10 --allow-subclassing-any $(RASA_SOURCES))
	@.venv/bin/lint-imports

format: ## 自动整理代码格式
	@$(INSTALL) app dev
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

lock: ## 由 requirements/*.in 重新生成锁定文件
	@"$(ANY_PYTHON)" -m tools.setup lock

clean: ## 删除虚拟环境和缓存（不动数据库和知识）
	rm -rf .venv .venv-rasa .setup connectors/miniprogram/node_modules connectors/miniprogram/dist \
		connectors/miniprogram/.api connectors/miniprogram/src/api/schema.d.ts
	rm -rf $(addprefix connectors/console_web/,node_modules dist .api src/api/schema.d.ts)
	rm -rf .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .rasa
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
