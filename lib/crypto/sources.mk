SRC_crypto := \
	lib/crypto/digest.c \
	lib/crypto/ed25519.c \
	lib/crypto/hpke.c
