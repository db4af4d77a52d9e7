/* A security key for tests, as middleware of OpenSSH (sk-api.h, PROTOCOL.u2f): ssh-agent loads it through ssh-sk-helper in
 * place of a driver of real keys. It holds ed25519 keys, whose private halves are in their handles. It takes the time in
 * $LABCTL_TEST_TOUCH (microseconds) for the user's touch. It is linked with libcrypto without its headers. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct evp_pkey_st EVP_PKEY;
typedef struct evp_md_ctx_st EVP_MD_CTX;
EVP_PKEY *EVP_PKEY_new_raw_private_key(int type, void *engine, const unsigned char *key, size_t len);
int EVP_PKEY_get_raw_public_key(const EVP_PKEY *key, unsigned char *out, size_t *len);
void EVP_PKEY_free(EVP_PKEY *key);
EVP_MD_CTX *EVP_MD_CTX_new(void);
void EVP_MD_CTX_free(EVP_MD_CTX *ctx);
int EVP_DigestSignInit(EVP_MD_CTX *ctx, void **pctx, const void *md, void *engine, EVP_PKEY *key);
int EVP_DigestSign(EVP_MD_CTX *ctx, unsigned char *sig, size_t *len, const unsigned char *data, size_t data_len);
unsigned char *SHA256(const unsigned char *data, size_t len, unsigned char *out);
int RAND_bytes(unsigned char *out, int len);

enum { ED25519 = 1087, ALG_ED25519 = 1, FAULT = -1, UNSUPPORTED = -2 };

struct sk_enroll_response {
	uint8_t flags;
	uint8_t *public_key;
	size_t public_key_len;
	uint8_t *key_handle;
	size_t key_handle_len;
	uint8_t *signature;
	size_t signature_len;
	uint8_t *attestation_cert;
	size_t attestation_cert_len;
	uint8_t *authdata;
	size_t authdata_len;
};

struct sk_sign_response {
	uint8_t flags;
	uint32_t counter;
	uint8_t *sig_r;
	size_t sig_r_len;
	uint8_t *sig_s;
	size_t sig_s_len;
};

uint32_t sk_api_version(void) { return 0x000a0000; }

int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application, uint8_t flags,
    const char *pin, void **options, struct sk_enroll_response **out)
{
	struct sk_enroll_response *r;
	EVP_PKEY *key;

	(void)challenge, (void)challenge_len, (void)application, (void)pin, (void)options;
	if (alg != ALG_ED25519)
		return UNSUPPORTED;
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return FAULT;
	r->flags = flags;
	r->public_key = calloc(1, r->public_key_len = 32);
	r->key_handle = calloc(1, r->key_handle_len = 32);
	RAND_bytes(r->key_handle, 32);
	key = EVP_PKEY_new_raw_private_key(ED25519, NULL, r->key_handle, 32);
	EVP_PKEY_get_raw_public_key(key, r->public_key, &r->public_key_len);
	EVP_PKEY_free(key);
	*out = r;
	return 0;
}

/* What is signed: SHA256(application), flags, counter, SHA256(data). */
int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application, const uint8_t *handle,
    size_t handle_len, uint8_t flags, const char *pin, void **options, struct sk_sign_response **out)
{
	struct sk_sign_response *r;
	const char *touch = getenv("LABCTL_TEST_TOUCH");
	uint8_t text[32 + 1 + 4 + 32];
	EVP_PKEY *key;
	EVP_MD_CTX *ctx;

	(void)pin, (void)options;
	if (alg != ALG_ED25519 || handle_len != 32)
		return UNSUPPORTED;
	if (touch != NULL)
		usleep(atoi(touch));
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return FAULT;
	r->flags = flags & 1;
	r->counter = 0x01020304;
	SHA256((const uint8_t *)application, strlen(application), text);
	text[32] = r->flags;
	memcpy(text + 33, "\x01\x02\x03\x04", 4);
	SHA256(data, data_len, text + 37);
	r->sig_r = calloc(1, r->sig_r_len = 64);
	key = EVP_PKEY_new_raw_private_key(ED25519, NULL, handle, 32);
	ctx = EVP_MD_CTX_new();
	EVP_DigestSignInit(ctx, NULL, NULL, NULL, key);
	EVP_DigestSign(ctx, r->sig_r, &r->sig_r_len, text, sizeof(text));
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	*out = r;
	return 0;
}

int sk_load_resident_keys(const char *pin, void **options, void ***keys, size_t *n)
{
	(void)pin, (void)options, (void)keys, (void)n;
	return UNSUPPORTED;
}
