# A small server on lib/http and lib/net alone, for tests/integration/test_http*.py.
HTTP_TEST_LIBS = $(LIB_http) $(LIB_net) $(LIB_base)

$(OUT)/http-test-server: $(OUT)/obj/tests/http-server/http-test-server.o $(HTTP_TEST_LIBS)
	@mkdir -p $(@D)
	$(call link,$(filter %.o,$^),$(filter %.a,$^))
