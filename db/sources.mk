SRC_db := \
	db/agents.c \
	db/cameras.c \
	db/changes.c \
	db/codes.c \
	db/migrate.c \
	db/query.c \
	db/queue.c \
	db/reader.c \
	db/store.c \
	db/tokens.c \
	db/usage.c

# The numbered SQL files become bytes in the program.
DB_MIGRATIONS := $(sort $(wildcard db/migrations/*.sql))
$(OUT)/gen/db/migrations.inc: db/migrations/embed.sh $(DB_MIGRATIONS)
	@mkdir -p $(@D)
	@echo "GEN  db/migrations"
	$(Q)db/migrations/embed.sh $(DB_MIGRATIONS) > $@
$(OUT)/obj/db/migrate.o: $(OUT)/gen/db/migrations.inc
