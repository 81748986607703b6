import type { Viewer } from '../../core/context.js';
import { AppError } from '../../core/errors.js';

/**
 * The lists of the catalogue are for everybody; what is archived is for who manages it.
 * @throws UNAUTHENTICATED, FORBIDDEN
 */
export function requireSight(viewer: Viewer, includeArchived: boolean): void {
  if (!includeArchived || (viewer.kind === 'admin' && viewer.permissions.includes('catalog:manage'))) return;
  throw new AppError(viewer.kind === 'anonymous' ? (viewer.refusal ?? 'UNAUTHENTICATED') : 'FORBIDDEN');
}
