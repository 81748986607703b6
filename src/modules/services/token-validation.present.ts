import type { TokenVerdict } from './token-validation.service.js';
import { TokenKind, type TokenValidation, TokenValidationCode } from './token-validation.types.js';

/** The verdict as the schema shows it. */
export function toTokenValidation(verdict: TokenVerdict): TokenValidation {
  const good = verdict.code === 'VALID' ? verdict : undefined;
  return {
    valid: good !== undefined,
    code: TokenValidationCode[verdict.code],
    kind: good ? TokenKind[good.kind] : null,
    expiresAt: good?.expiresAt ?? null,
    user: good && 'user' in good ? good.user : null,
    admin: good && 'admin' in good ? good.admin : null,
    staff: good && 'staff' in good ? good.staff : null,
    scopes: good && 'scopes' in good ? good.scopes : null,
    sessionId: good && 'sessionId' in good ? good.sessionId : null,
    impersonatedBy: good && 'impersonatedBy' in good ? good.impersonatedBy : null,
    readOnly: good && 'readOnly' in good ? good.readOnly : false,
  };
}
